/* The stimulus port: frames `kind number data CRC-16` in COBS, ended by a zero. It stands for what a
 * board has inside: its converter and its EEPROM. */
#include "line.h"

enum { FRAME = 256 };
uint32_t bad_frames;

uint16_t crc16(const uint8_t *p, uint32_t n) { /* CRC-16/IBM-3740 */
    uint16_t c = 0xFFFF;
    while (n--) {
        c ^= (uint16_t)(*p++ << 8);
        for (int k = 0; k < 8; k++) c = (uint16_t)((c & 0x8000) ? (c << 1) ^ 0x1021 : c << 1);
    }
    return c;
}

void bench_send(uint8_t kind, uint8_t number, const uint8_t *data, uint32_t length) {
    uint8_t frame[80]; /* nothing longer is sent */
    uint32_t n = 0;
    frame[n++] = kind;
    frame[n++] = number;
    for (uint32_t k = 0; k < length && n < sizeof frame - 2; k++) frame[n++] = data[k];
    uint16_t crc = crc16(frame, n);
    put_le(frame + n, crc, 2);
    n += 2;
    for (uint32_t i = 0; i <= n;) {
        uint32_t j = i;
        while (j < n && frame[j]) j++;
        line_put(BENCH_LINE, (uint8_t)(j - i + 1));
        while (i < j) line_put(BENCH_LINE, frame[i++]);
        i++;
    }
    line_put(BENCH_LINE, 0);
}

static void refuse(uint8_t why) {
    bad_frames++;
    bench_send(0x8E, why, 0, 0);
}

void bench_byte(uint8_t byte) {
    static uint8_t frame[FRAME];
    static uint32_t n, left, code, is_bad;
    if (byte == 0) {
        if (is_bad || left || n < 4) {
            if (n || is_bad) refuse(1);
        } else if (crc16(frame, n - 2) != get_le(frame + n - 2, 2)) {
            refuse(2);
        } else {
            bench_frame(frame[0], frame[1], frame + 2, n - 4);
        }
        n = left = code = is_bad = 0;
        return;
    }
    if (left == 0) {
        if (code && code != 255) { if (n < FRAME) frame[n++] = 0; else is_bad = 1; }
        code = byte;
        left = byte - 1u;
        return;
    }
    if (n < FRAME) frame[n++] = byte; else is_bad = 1;
    left--;
}
