#!/usr/bin/env bash
# A Slurm job array of four: the recipe docs/examples/shards.sbatch on a cluster of this one host, its parts joined
# by a job that waits for them, compared with the suite of one process. Two hundred cases.
#
# Slurm and MUNGE are Debian's; their daemons run as root without systemd, on ports and in a folder of their own,
# and end with the script. Usage: tests/long/slurm.sh, as `tests/run long` calls it: LASTMETER is the program,
# RUNS the folder of results.
set -euo pipefail
cd "$(dirname "$0")/../.."
if [ "$(id -u)" -ne 0 ]; then
    echo "tests/long/slurm.sh: expected to be root, as the daemons of Slurm and MUNGE here are" >&2
    exit 1
fi
tests/setup slurm
LASTMETER=$(realpath "${LASTMETER:-target/release/lastmeter}")
export LASTMETER
runs=${RUNS:-target/test-runs}
out=$(mkdir -p "$runs" && realpath "$runs")/slurm
rm -rf "$out"
mkdir "$out"
folder=$(mktemp -d "${TMPDIR:-/tmp}/lastmeter-slurm-XXXXXX")
chmod 755 "$folder"
pids=()
finish() {
    [ ${#pids[@]} -eq 0 ] || kill "${pids[@]}" 2>/dev/null || true
    wait
    rm -rf "$folder"
}
trap finish EXIT

host=$(hostname -s)
mkdir "$folder/state" "$folder/spool"
(umask 277 && head -c 1024 /dev/urandom >"$folder/munge.key")
cat >"$folder/slurm.conf" <<END
ClusterName=lastmeter
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$folder/munge.socket
SlurmctldPort=26817
SlurmdPort=26818
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=sched_interval=1,bf_interval=1
ReturnToService=2
MailProg=/bin/true
NodeName=$host NodeAddr=127.0.0.1 CPUs=$(nproc) State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
END
export SLURM_CONF=$folder/slurm.conf

munged --foreground --force --key-file "$folder/munge.key" --socket "$folder/munge.socket" \
    --pid-file "$folder/munge.pid" --log-file "$folder/munge.log" --seed-file "$folder/munge.seed" 2>/dev/null &
pids+=($!)
slurmctld -D 2>/dev/null &
pids+=($!)
slurmd -D -N "$host" 2>/dev/null &
pids+=($!)
for _ in $(seq 60); do
    [ "$(sinfo --noheader --format %t 2>/dev/null)" != idle ] || break
    sleep 1
done
if [ "$(sinfo --noheader --format %t)" != idle ]; then
    echo "tests/long/slurm.sh: the node is not idle after 60 s; the daemons have logged:" >&2
    tail -n 20 "$folder"/*.log >&2
    exit 1
fi
sinfo --version
sinfo

# Some of them fail their limit: a part that has failures is done all the same.
suite=(scenarios/library/energy-reversal.toml
    --vary 'device.meter.current_gain_error=0 %,0.1 %,0.15 %,0.3 %'
    --vary 'source.grid.power_factor=1,0.9,0.8,0.6,0.5' --seeds 1..10)
"$LASTMETER" run "${suite[@]}" --jobs 2 --out "$out/whole" >"$out/whole.log" 2>&1 || [ $? -eq 1 ]
array=$(sbatch --parsable --array=1-4 --output="$out/%A-%a.log" docs/examples/shards.sbatch 4 "$out" "${suite[@]}")
echo "job array $array"
code=0
sbatch --wait --dependency="afterok:$array" --kill-on-invalid-dep=yes --output="$out/merge.log" \
    --wrap "$LASTMETER merge $out/shard-* --out $out/merged" || code=$?
for task in 1 2 3 4; do
    scontrol show job "${array}_$task" | grep -E "JobState|RunTime|StartTime" | tr -s ' \n' ' '
    echo
done
tail -n 2 "$out/merge.log"
if [ "$code" -ne 1 ]; then
    echo "tests/long/slurm.sh: the job that merges exited with $code, expected 1 (some cases fail)" >&2
    cat "$out"/*.log >&2
    exit 1
fi
python3 tests/conformance/peer/shards.py "$out/whole" "$out/merged"
