#!/bin/sh
# build.sh FOLDER: makes FOLDER/meter.elf and FOLDER/meter.bin, the same to the byte wherever.
#
# Wants arm-none-eabi-gcc (Debian: gcc-arm-none-eabi); no C library.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=$(mkdir -p "$1" && cd "$1" && pwd)
cd "$here"
arm-none-eabi-gcc -mcpu=cortex-m3 -mthumb -std=c11 -O2 -ffreestanding -nostdlib -nostartfiles \
    -Wall -Wextra -Werror -Wconversion -fno-common -fno-tree-loop-distribute-patterns \
    -ffunction-sections -Wl,--gc-sections -Wl,--build-id=none \
    -T stm32f1.ld meter.c measure.c stimulus.c slcan.c -lgcc -o "$out/meter.elf"
arm-none-eabi-objcopy -O binary "$out/meter.elf" "$out/meter.bin"
