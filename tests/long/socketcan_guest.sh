#!/bin/sh
# `lastmeter can` at interfaces of SocketCAN, on a Linux kernel in a virtual machine: vcan, and the kernel's slcan at the
# line of a simulated bus. No CAN, no KVM and no rights are wanted of this machine; Debian packages are unpacked, not
# installed, into a folder that is kept (GUEST, else target/guest). The guest ends with 42 + its exit code, so that a
# guest that never ran is no pass. Some minutes, of which the build takes most.
# Usage: tests/long/socketcan_guest.sh; SOCKETCAN_LASTMETER is a program built with `--features socketcan`.
set -eu
cd "$(dirname "$0")/../.."
guest=${GUEST:-target/guest}
root=$guest/root
image=$guest/image
not_run() { echo "NOT RUN: $1"; exit 77; }

command -v dpkg-deb > /dev/null || not_run "dpkg-deb not found"
mkdir -p "$root"
if ! ls "$root"/boot/vmlinuz-* > /dev/null 2>&1; then
    kernel=$(apt-cache depends linux-image-amd64 2> /dev/null | sed -n 's/.*Depends: //p' | head -n 1)
    (cd "$guest" && apt-get download -q qemu-system-x86 qemu-system-common \
        qemu-system-data seabios busybox-static can-utils "${kernel:?}") \
        || not_run "the packages of the guest cannot be downloaded"
    for package in "$guest"/*.deb; do dpkg-deb -x "$package" "$root"; done
fi
qemu=$root/usr/bin/qemu-system-x86_64
ldd "$qemu" | grep -q "not found" && not_run "libraries of qemu-system-x86_64 not found (install qemu-system-x86)"
kernel=$(ls "$root"/boot/vmlinuz-* | tail -n 1)
busybox=$(realpath "$root/bin/busybox")
modules=$root/lib/modules/${kernel##*/vmlinuz-}/kernel

program=${SOCKETCAN_LASTMETER:-}
if [ -z "$program" ]; then
    cargo build --release --features socketcan --target-dir "$guest/build"
    program=$guest/build/release/lastmeter
fi

rm -rf "$image"
mkdir -p "$image/bin" "$image/proc" "$image/sys" "$image/dev/pts" "$image/tmp" "$image/modules"
cp "$root/bin/busybox" "$image/bin/"
cp "$root/usr/bin/slcand" "$image/bin/"
cp "$program" "$image/bin/lastmeter"
strip "$image/bin/lastmeter"
for library in $(ldd "$program" "$root/usr/bin/slcand" | tr ' \t' '\n\n' | grep '^/.*[^:]$' | sort -u); do
    mkdir -p "$image${library%/*}"
    cp -L "$library" "$image$library"
done
cp scenarios/foreign/can-foreign-master.toml "$image/bus.toml"
for module in net/can/can net/can/can-raw drivers/net/can/dev/can-dev drivers/net/can/vcan drivers/net/can/slcan/slcan; do
    cp "$modules/$module.ko" "$image/modules/"
done
cat > "$image/init" <<'INIT'
#!/busybox sh
/busybox --install -s /bin
export PATH=/bin
mount -t proc none /proc
mount -t sysfs none /sys
mount -t devtmpfs none /dev
mkdir -p /dev/pts
mount -t devpts none /dev/pts
ip link set lo up
for module in can can-raw can-dev vcan slcan; do insmod /modules/$module.ko || echo "no $module"; done
failed=0
check() { # WHAT FILE PATTERN
    if grep -q "$3" "$2"; then echo "ok   $1"; else echo "FAIL $1:"; cat "$2"; failed=1; fi
}
ip link add dev vcan0 type vcan
ip link set vcan0 up
lastmeter can dump can:vcan0 --count 3 --for 60s --dbc metering > /tmp/dump 2>&1 &
dump=$!
sleep 2
lastmeter can send can:vcan0 123#1122 201#R8 201#0DB58580002DC6C0 --answer-within 1s > /tmp/send 2>&1
echo "exit code $?" >> /tmp/send
check "send at vcan0" /tmp/send "exit code 0"
wait $dump
check "a data frame on vcan0" /tmp/dump "123#1122"
check "a remote frame on vcan0" /tmp/dump "201#R8"
check "names by the DBC file" /tmp/dump "Node1_VoltageCurrent.*Voltage 230 V, Current 3 A"
lastmeter can node can:vcan0 --node 9 --current 4 --for 60s > /tmp/node 2>&1 &
sleep 2
lastmeter can send can:vcan0 020#01 209#R8 --answer-within 5s --dbc metering > /tmp/asked 2>&1
check "an order to all nodes, to a node of ours on vcan0" /tmp/asked "Node9_Freeze: Number 1, .*Token 1"
check "a register of a node of ours on vcan0" /tmp/asked "Node9_VoltageCurrent: Voltage 230 V, Current 4 A"
# A simulated bus with an SLCAN adapter of ours; the kernel's driver is its host.
lastmeter run /bus.toml --out /tmp/run --set network.bus.line=pty:/tmp/line > /tmp/bus 2>&1 &
until [ -e /tmp/line ]; do sleep 1; grep -q "error" /tmp/bus && cat /tmp/bus && break; done
slcand -o -c -s4 "$(readlink -f /tmp/line)" slcan0
until ip link set slcan0 up 2> /tmp/up; do sleep 1; done
for try in 1 2 3 4 5 6; do
    lastmeter can send can:slcan0 020#01 201#R8 --answer-within 2s --dbc metering > /tmp/slcan 2>&1
    grep -q "Voltage" /tmp/slcan && break
done
check "an order to all nodes by the kernel's slcan" /tmp/slcan "Node1_Freeze: Number"
check "a register by the kernel's slcan" /tmp/slcan "Node1_VoltageCurrent: Voltage"
cat /tmp/slcan
echo "guest ends with $failed"
# isa-debug-exit makes 2 * value + 1 of it.
printf "\\$(printf %o $((42 + failed)))" | dd of=/dev/port bs=1 seek=1281 count=1 2> /dev/null
poweroff -f
INIT
chmod +x "$image/init"
cp "$root/bin/busybox" "$image/busybox"
(cd "$image" && find . | "$busybox" cpio -o -H newc 2> /dev/null) | gzip -1 > "$guest/initramfs.gz"

status=0
timeout 600 "$qemu" -M pc -accel tcg -m 1024 -nodefaults -display none -L "$root/usr/share/qemu" \
    -L "$root/usr/share/seabios" -serial stdio -device isa-debug-exit,iobase=0x501,iosize=1 \
    -kernel "$kernel" -initrd "$guest/initramfs.gz" -append "console=ttyS0 quiet panic=-1" < /dev/null || status=$?
if [ "$status" -eq 85 ]; then echo "ok   SocketCAN in a guest"; exit 0; fi
echo "FAIL SocketCAN in a guest: exit code $status, expected 85 (42 of the guest)"
exit 1
