//! The board files that come with the program.

/// A board file that comes with the program.
pub struct Shipped {
    /// What `board` calls it.
    pub name: &'static str,
    /// The file, as TOML.
    pub text: &'static str,
}

macro_rules! shipped {
    ($($name:literal),*) => {
        /// All of them.
        pub const SHIPPED: &[Shipped] = &[$(Shipped {
            name: $name,
            text: include_str!(concat!("../../../devices/boards/", $name, ".toml")),
        }),*];
    };
}

shipped!["emulated-meter", "usb-serial-meter", "slcan-node", "ser2net-meter"];

/// The one of a name.
pub fn find(name: &str) -> Option<&'static Shipped> {
    SHIPPED.iter().find(|shipped| shipped.name == name)
}

#[cfg(test)]
mod tests {
    use lastmeter_board::description::Description;

    use super::*;

    #[test]
    fn each_is_right_and_has_the_name_of_its_file() {
        for shipped in SHIPPED {
            let board = Description::parse(shipped.text);
            let board = board.unwrap_or_else(|error| panic!("{}: {error}", shipped.name));
            assert_eq!(board.name, shipped.name);
            assert!(!board.summary.is_empty());
        }
        assert!(find("emulated-meter").is_some());
        assert!(find("unheard-of").is_none());
    }
}
