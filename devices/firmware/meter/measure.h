/* Measurement of one phase from 12-bit sample pairs, in integers only.
 *
 * docs/boards.md ("What the firmware computes") defines every number here; another program that
 * follows it gets the same digits.
 */
#ifndef MEASURE_H
#define MEASURE_H
#include <stdint.h>

enum { CYCLES = 10, DELAY = 48, RING = 64, MIDDLE_CODE = 1707, HYSTERESIS_CODES = 64 };

/* What calibration can change: all in the coding of the registers. */
struct calibration {
    int32_t u_gain, i_gain;     /* 2^-22: 0x400000 is 1.0 */
    int32_t u_offset, i_offset; /* 2^-16 of a code */
};

/* Mean power of the last whole interval of the power profile; the number is 0 before the first. */
struct profile { uint32_t number; int32_t p_mw; };

/* The last voltage dip that is over: below 90 % of 230 V, back at 92 %; 0 before the first. */
struct dip { uint32_t number, residual_mv, duration_ms; };

/* A reading: everything between two freezes. */
struct reading {
    uint32_t number, windows, unsynchronised;
    uint32_t u_uv, i_ua;
    int64_t p_uw;
    uint32_t s_mva, n_mvar;
    int32_t pf_ppm;
    uint32_t f_uhz;
    uint64_t consumed_mj, injected_mj;
    struct profile profile;
    struct dip dip;
};

/* What outlives a loss of supply. */
struct counters {
    uint64_t consumed_uj, injected_uj;
    uint32_t restarts;
};

extern struct calibration calibration;
extern struct counters counters;
extern uint32_t profile_interval; /* in seconds; 0: none */
extern uint32_t samples_taken, windows_done;

void measure_reset(void);
void measure_set_rate(uint32_t millihertz);
/* An interval of the power profile begins here, after its length was changed. */
void measure_begin_interval(void);
void measure_pair(uint32_t u_code, uint32_t i_code);
/* Closes what has come together since the last freeze; 0 if no window has been completed. */
int measure_freeze(struct reading *out);
uint64_t integer_root(uint64_t x);
#endif
