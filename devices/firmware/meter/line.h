/* Two serial lines: the metering network as an SLCAN adapter, and the stimulus port. */
#ifndef LINE_H
#define LINE_H
#include <stdint.h>

enum { CAN_LINE, BENCH_LINE, LINES };

int line_get(int line);             /* the next byte, or -1 */
void line_put(int line, uint8_t byte);
uint32_t lines_lost(void);          /* bytes that found no room */

/* Stimulus port: COBS frames with a CRC-16. */
void bench_byte(uint8_t byte);
void bench_send(uint8_t kind, uint8_t number, const uint8_t *data, uint32_t length);
uint16_t crc16(const uint8_t *p, uint32_t n);
void bench_frame(uint8_t kind, uint8_t number, const uint8_t *data, uint32_t length);
extern uint32_t bad_frames;

/* SLCAN. */
void slcan_byte(uint8_t byte);
void slcan_reset(void);
void slcan_send(uint32_t id, const uint8_t *data, int length);
void node_frame(uint32_t id, int is_remote, const uint8_t *data, int length);

static inline void put_le(uint8_t *p, uint64_t v, int n) { for (int k = 0; k < n; k++) p[k] = (uint8_t)(v >> (8 * k)); }
static inline uint64_t get_le(const uint8_t *p, int n) {
    uint64_t v = 0;
    for (int k = n - 1; k >= 0; k--) v = v << 8 | p[k];
    return v;
}
static inline void put_be(uint8_t *p, uint64_t v, int n) { for (int k = 0; k < n; k++) p[k] = (uint8_t)(v >> (8 * (n - 1 - k))); }
static inline uint64_t get_be(const uint8_t *p, int n) {
    uint64_t v = 0;
    for (int k = 0; k < n; k++) v = v << 8 | p[k];
    return v;
}
#endif
