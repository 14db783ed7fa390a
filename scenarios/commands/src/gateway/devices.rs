//! The file that lists which devices are behind a gateway.

use std::collections::BTreeMap;
use std::path::Path;

use lastmeter_units::HardwareId;

/// By line: hardware ids with their addresses, as the model of the devices writes them.
pub(super) type DevicesOfLines = Vec<Vec<(HardwareId, String)>>;

/// Reads `hardware_id,address[,line]`; lines count from 1. The gateway's own id is nobody else's.
pub(super) fn read(
    path: &Path,
    lines: usize,
    gateway: &HardwareId,
) -> Result<DevicesOfLines, String> {
    let name = path.display();
    let text = std::fs::read(path).map_err(|error| format!("cannot read {name}: {error}"))?;
    parse(&text, lines, gateway).map_err(|what| format!("{name}: {what}"))
}

fn parse(text: &[u8], lines: usize, gateway: &HardwareId) -> Result<DevicesOfLines, String> {
    let mut of_lines = vec![Vec::new(); lines];
    let mut seen = BTreeMap::from([(gateway.clone(), "the gateway's own id".to_owned())]);
    let mut reader = csv::ReaderBuilder::new();
    let mut reader = reader.flexible(true).trim(csv::Trim::All).from_reader(text);
    let header = reader.headers().map_err(|error| error.to_string())?.clone();
    let column = |name: &str| header.iter().position(|column| column == name);
    let (Some(id), Some(address)) = (column("hardware_id"), column("address")) else {
        let found: Vec<&str> = header.iter().collect();
        let found = found.join(",");
        return Err(format!("line 1 is `{found}`, expected `hardware_id,address` or with `,line`"));
    };
    for record in reader.records() {
        let record = record.map_err(|error| error.to_string())?;
        let at = record.position().map_or(0, csv::Position::line);
        let cell = |column: usize| record.get(column).unwrap_or_default();
        let hardware_id = HardwareId::new(cell(id))
            .map_err(|error| format!("line {at}: `{}` is not a hardware id: {error}", cell(id)))?;
        if let Some(first) = seen.insert(hardware_id.clone(), format!("already in line {at}")) {
            return Err(format!("line {at}: `{hardware_id}` is {first}"));
        }
        if cell(address).is_empty() {
            return Err(format!("line {at}: the address of `{hardware_id}` is missing"));
        }
        let line = match column("line").map(cell) {
            None | Some("") => 1,
            Some(text) => {
                text.parse::<usize>().ok().filter(|line| (1..=lines).contains(line)).ok_or_else(
                    || format!("line {at}: `{text}` is not a line, expected 1 to {lines}"),
                )?
            }
        };
        let devices: &mut Vec<(HardwareId, String)> = &mut of_lines[line - 1];
        if let Some((other, _)) = devices.iter().find(|(_, other)| other == cell(address)) {
            let address = cell(address);
            return Err(format!(
                "line {at}: `{hardware_id}` has the address {address} of `{other}`"
            ));
        }
        devices.push((hardware_id, cell(address).to_owned()));
    }
    Ok(of_lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hub() -> HardwareId {
        HardwareId::new("hub").unwrap()
    }

    #[test]
    fn devices_are_read_by_line() {
        let text = b"hardware_id,address,line\nheat-1, 12345678-LMT-01-04 ,2\nheat-2,5,\n";
        let of_lines = parse(text, 2, &hub()).unwrap();
        assert_eq!(of_lines[0][0].1, "5");
        assert_eq!(of_lines[1][0].0.as_str(), "heat-1");
        assert_eq!(of_lines[1][0].1, "12345678-LMT-01-04");
    }

    #[test]
    fn mistakes_are_reported_with_their_line() {
        for (text, expected) in [
            (&b"id,address\n"[..], "line 1 is `id,address`"),
            (b"hardware_id,address\nheat-1,\n", "line 2: the address of `heat-1`"),
            (b"hardware_id,address\nno/id,5\n", "line 2: `no/id` is not a hardware id"),
            (b"hardware_id,address\nheat-1,5\nheat-1,6\n", "line 3: `heat-1` is already in line 2"),
            (b"hardware_id,address\nhub,5\n", "line 2: `hub` is the gateway's own id"),
            (b"hardware_id,address\na,5\nb,5\n", "line 3: `b` has the address 5 of `a`"),
            (
                b"hardware_id,address,line\nheat-1,5,3\n",
                "line 2: `3` is not a line, expected 1 to 2",
            ),
        ] {
            let error = parse(text, 2, &hub()).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
