/* See measure.h. The scheme: pairs wait in a ring for DELAY samples, so that a zero crossing is
 * known, by a straight line of least squares through eight samples, before its sample interval is
 * integrated; windows are ten cycles from crossing to crossing, integrated by trapezoids between
 * fractions of a sample. Voltages of one cycle, for dips, follow each half cycle; where there is
 * no crossing half cycles go on as they were. */
#include "measure.h"

#define U_NV_PER_CODE 381174749 /* 460 sqrt(2) V / 1.5 V * 3.6 V / 4096, in nV */
#define I_NA_PER_CODE 24859223  /* 30 sqrt(2) A / 1.5 V * 3.6 V / 4096, in nA */
#define ONE_Q16 65536
#define DIP_BEGIN_UV 207000000 /* 90 % of 230 V */
#define DIP_END_UV 211600000   /* 92 % of it */

struct calibration calibration;
struct counters counters;
uint32_t profile_interval;
uint32_t samples_taken, windows_done;

static uint32_t rate_mhz;
static int32_t ring_u[RING], ring_i[RING];

/* Integrals of a window in half sample units, Q16: voltage, current, their squares, product. */
enum { U1, I1, U2, I2, UI, SUMS };
static int64_t sum[SUMS];
static uint64_t window_from; /* Q16 samples */
static int crossings, is_armed, has_candidate, is_aligned;
static uint32_t candidate;
static uint64_t boundary; /* Q16 samples; 0: none is known */
static uint32_t last_crossing, longest_gap; /* in samples */

/* Between two freezes. */
static int64_t frozen_u2, frozen_i2, frozen_ui;
static uint64_t frozen_length_q4, frozen_length_q16;
static uint32_t frozen_cycles, frozen_windows, frozen_unsynchronised, reading_number;

/* Of the registers, which wait for no crossing: sums of both ends of each sample interval since
 * they were booked last. */
enum { BOOK_EVERY = 2048 };
static int64_t energy_u, energy_i, energy_ui;
static uint32_t energy_from, book_every;

/* Of the power profile. */
static struct profile profile;
static int64_t profile_uj;
static uint64_t profile_samples;

/* Of the half cycle that goes on: integrals as above; and of the one before. */
static int64_t half_u, half_u2, before_u, before_u2;
static uint64_t half_from, half_to; /* Q16 samples */
static int64_t half_length, half_shift, before_length; /* Q16; a length of 0: not known yet */
static int halves;

/* Of voltage dips. */
static struct dip dip;
static int is_dip;
static uint64_t dip_from; /* Q16 samples */
static uint32_t dip_least_uv;

uint64_t integer_root(uint64_t x) {
    uint64_t root = 0, bit = 1ull << 62;
    while (bit > x) bit >>= 2;
    for (; bit; bit >>= 2) {
        if (x >= root + bit) { x -= root + bit; root = (root >> 1) + bit; } else root >>= 1;
    }
    return root;
}

static void clear_frozen(void) {
    frozen_u2 = frozen_i2 = frozen_ui = 0;
    frozen_length_q4 = frozen_length_q16 = 0;
    frozen_cycles = frozen_windows = frozen_unsynchronised = 0;
}

void measure_reset(void) {
    samples_taken = windows_done = 0;
    for (int k = 0; k < SUMS; k++) sum[k] = 0;
    window_from = boundary = 0;
    crossings = is_armed = has_candidate = is_aligned = 0;
    last_crossing = longest_gap = 0;
    energy_u = energy_i = energy_ui = 0;
    energy_from = 0;
    reading_number = 0;
    clear_frozen();
    half_u = half_u2 = half_length = half_shift = 0;
    half_from = half_to = 0;
    halves = is_dip = 0;
    dip.number = dip.residual_mv = dip.duration_ms = 0;
    profile.number = 0; profile.p_mw = 0;
    measure_begin_interval();
}

static uint64_t interval_samples(void) { return (uint64_t)profile_interval * rate_mhz / 1000; }

/* Registers are booked at the end of the profile's interval, and often enough before. */
static void plan_booking(void) {
    uint64_t left = interval_samples() - profile_samples;
    book_every = profile_interval && left < BOOK_EVERY ? (uint32_t)left : BOOK_EVERY;
}

void measure_begin_interval(void) {
    profile_uj = 0; profile_samples = 0;
    plan_booking();
}

void measure_set_rate(uint32_t millihertz) {
    rate_mhz = millihertz;
    plan_booking();
}

/* Area under a straight line from y0 to y1 over one sample, between two fractions (Q16), in half
 * sample units, Q16. */
static int64_t area(int64_t y0, int64_t y1, int32_t from, int32_t to) {
    int64_t at_from = y0 * ONE_Q16 + (y1 - y0) * from;
    int64_t at_to = y0 * ONE_Q16 + (y1 - y0) * to;
    return ((at_from + at_to) * (to - from)) >> 16;
}

static void integrate(uint32_t j, int32_t from, int32_t to) {
    int64_t u0 = ring_u[j % RING], i0 = ring_i[j % RING];
    int64_t u1 = ring_u[(j + 1) % RING], i1 = ring_i[(j + 1) % RING];
    sum[U1] += area(u0, u1, from, to);
    sum[I1] += area(i0, i1, from, to);
    sum[U2] += area(u0 * u0, u1 * u1, from, to);
    sum[I2] += area(i0 * i0, i1 * i1, from, to);
    sum[UI] += area(u0 * i0, u1 * i1, from, to);
}

static int64_t per_code_nv(void) { return ((int64_t)U_NV_PER_CODE * calibration.u_gain) >> 22; }
static int64_t per_code_na(void) { return ((int64_t)I_NA_PER_CODE * calibration.i_gain) >> 22; }
static int64_t per_code2_nw(void) { return per_code_nv() * per_code_na() / 1000000000; }

/* Mean product of voltage and current, in codes^2, Q12, less the offsets. */
static int64_t product(int64_t u, int64_t i, int64_t ui) {
    int64_t ou = calibration.u_offset, oi = calibration.i_offset; /* Q16 */
    return ui - ((ou * i + oi * u) >> 16) + ((ou * oi) >> 20);
}

/* Takes what has come together up to a place into the registers. */
static void book(uint32_t to) {
    int64_t samples = (int64_t)to - energy_from;
    if (samples <= 0) return;
    int64_t ui = product(energy_u * 2048 / samples, energy_i * 2048 / samples, energy_ui * 2048 / samples);
    int64_t p_uw = ((ui * per_code2_nw()) >> 12) / 1000;
    int64_t uj = p_uw * samples * 1000 / rate_mhz;
    if (uj > 0) counters.consumed_uj += (uint64_t)uj; else counters.injected_uj += (uint64_t)-uj;
    profile_uj += uj;
    profile_samples += (uint64_t)samples;
    if (profile_interval && profile_samples >= interval_samples()) {
        profile.p_mw = (int32_t)(profile_uj / 1000 * rate_mhz / (int64_t)profile_samples / 1000);
        profile.number++;
        profile_uj = 0; profile_samples = 0;
    }
    plan_booking();
    energy_u = energy_i = energy_ui = 0;
    energy_from = to;
}

/* RMS voltage of a mean square, in codes^2, Q12. */
static uint32_t microvolts(int64_t u2) {
    /* Q16 codes times nV per code. */
    uint64_t nv = (integer_root((uint64_t)(u2 > 0 ? u2 : 0) << 20) * (uint64_t)per_code_nv()) >> 16;
    return (uint32_t)((nv + 500) / 1000);
}

static int64_t less_offset(int64_t u2, int64_t u, int64_t o) {
    return u2 - ((2 * o * u) >> 16) + ((o * o) >> 20);
}

/* The voltage of a cycle, and where its second half began. */
static void look_for_dip(uint32_t u_uv, uint64_t at) {
    if (!is_dip && u_uv < DIP_BEGIN_UV) {
        is_dip = 1;
        dip_from = at;
        dip_least_uv = u_uv;
    } else if (is_dip && u_uv >= DIP_END_UV) {
        is_dip = 0;
        dip.number++;
        dip.residual_mv = (dip_least_uv + 500) / 1000;
        dip.duration_ms = (uint32_t)((((at - dip_from) >> 6) * 15625 / 16 + rate_mhz / 2) / rate_mhz);
    } else if (is_dip && u_uv < dip_least_uv) {
        dip_least_uv = u_uv;
    }
}

/* Takes the sample interval j; one in which a half cycle ends is cut there. */
static void follow_half_cycles(uint32_t j) {
    if (!half_length) return;
    int64_t y0 = ring_u[j % RING], y1 = ring_u[(j + 1) % RING];
    if ((uint32_t)(half_to >> 16) == j) {
        int32_t fraction = (int32_t)(half_to & 0xFFFF);
        int64_t u = area(y0, y1, 0, fraction), u2 = area(y0 * y0, y1 * y1, 0, fraction);
        int64_t length = (int64_t)(half_to - half_from);
        half_u += u;
        half_u2 += u2;
        if (halves < 2) { /* What came before the first end is no half cycle. */
            halves++;
        } else {
            int64_t both = before_length + length;
            int64_t mean = (before_u + half_u) * 2048 / both, mean2 = (before_u2 + half_u2) * 2048 / both;
            look_for_dip(microvolts(less_offset(mean2, mean, calibration.u_offset)), half_from);
        }
        before_u = half_u; before_u2 = half_u2; before_length = length;
        half_u = -u; half_u2 = -u2;
        half_from = half_to;
        half_to += (uint64_t)(half_length + half_shift);
        half_shift = 0;
    }
    half_u += (y0 + y1) * ONE_Q16;
    half_u2 += (y0 * y0 + y1 * y1) * ONE_Q16;
}

static void close_window(uint64_t to, int cycles) {
    int64_t length = (int64_t)(to - window_from); /* Q16 samples */
    if (length > 0) {
        int64_t mean[SUMS];
        for (int k = 0; k < SUMS; k++) mean[k] = (sum[k] * 2048) / length; /* codes or codes^2, Q12 */
        int64_t ou = calibration.u_offset, oi = calibration.i_offset;      /* Q16 */
        int64_t u2 = less_offset(mean[U2], mean[U1], ou), i2 = less_offset(mean[I2], mean[I1], oi);
        int64_t ui = product(mean[U1], mean[I1], mean[UI]);
        int64_t weight = length >> 12; /* Q4 samples */
        frozen_u2 += u2 * weight;
        frozen_i2 += i2 * weight;
        frozen_ui += ui * weight;
        frozen_length_q4 += (uint64_t)weight;
        if (cycles) {
            frozen_length_q16 += (uint64_t)length;
            frozen_cycles += (uint32_t)cycles;
            if (longest_gap < (uint32_t)(length >> 16) / 8) { /* none is missing */
                if (!half_length) half_to = to + (uint64_t)length / 20;
                half_length = length / 20;
            }
        } else {
            frozen_unsynchronised++;
        }
        frozen_windows++;
        windows_done++;
    }
    for (int k = 0; k < SUMS; k++) sum[k] = 0;
    window_from = to;
    crossings = 0;
    longest_gap = 0;
}

/* A crossing between samples k and k + 1 and its neighbours: its place by least squares. */
static void crossed(uint32_t k) {
    int32_t total = 0, moment = 0;
    for (int32_t n = 0; n < 8; n++) {
        int32_t u = ring_u[(k + (uint32_t)n - 3) % RING];
        total += u;
        moment += (2 * n - 7) * u;
    }
    if (moment <= 0) return;
    int64_t shift = ((int64_t)21 * total * 32768) / moment;
    if (shift > 3 * ONE_Q16 || shift < -3 * ONE_Q16) return;
    uint64_t place = ((uint64_t)k << 16) + 32768 - (uint64_t)shift;
    if (k - last_crossing > longest_gap) longest_gap = k - last_crossing;
    last_crossing = k;
    if (half_length) {
        /* Half cycles follow slowly, for a step of the voltage shifts the crossing beside it. */
        int64_t off = (int64_t)(place - half_to) % half_length;
        if (2 * off > half_length) off -= half_length;
        if (2 * off < -half_length) off += half_length;
        half_shift = off / 4;
    }
    if (!is_aligned) {
        /* What came before the first crossing belongs to no window. */
        is_aligned = 1;
        boundary = place;
        crossings = -1;
    } else if (++crossings >= CYCLES) {
        boundary = place;
    }
}

static void look_for_crossing(uint32_t k) { /* k is the newest sample */
    int32_t u = ring_u[k % RING];
    if (u < -HYSTERESIS_CODES) { is_armed = 1; has_candidate = 0; }
    if (!is_armed || k == 0) return;
    if (ring_u[(k - 1) % RING] < 0 && u >= 0) { candidate = k - 1; has_candidate = 1; }
    /* The line needs four samples behind the crossing. */
    if (has_candidate && u >= HYSTERESIS_CODES && k >= candidate + 4) {
        is_armed = has_candidate = 0;
        if (k - candidate < DELAY - 8 && candidate >= 3) crossed(candidate);
    }
}

void measure_pair(uint32_t u_code, uint32_t i_code) {
    uint32_t k = samples_taken++;
    /* The transducer inverts. */
    ring_u[k % RING] = MIDDLE_CODE - (int32_t)u_code;
    ring_i[k % RING] = MIDDLE_CODE - (int32_t)i_code;
    if (k > 0) {
        uint32_t before = (k - 1) % RING, now = k % RING;
        energy_u += ring_u[before] + ring_u[now];
        energy_i += ring_i[before] + ring_i[now];
        energy_ui += ring_u[before] * ring_i[before] + ring_u[now] * ring_i[now];
        if (k - energy_from >= book_every) book(k);
    }
    look_for_crossing(k);
    if (k < DELAY) return;
    uint32_t j = k - DELAY;
    follow_half_cycles(j);
    if (boundary && (uint32_t)(boundary >> 16) == j) {
        int32_t fraction = (int32_t)(boundary & 0xFFFF);
        if (crossings == -1 && windows_done == 0) {
            for (int n = 0; n < SUMS; n++) sum[n] = 0;
            window_from = boundary;
            crossings = 0;
        } else {
            integrate(j, 0, fraction);
            close_window(boundary, crossings == -1 ? 0 : CYCLES);
        }
        boundary = 0;
        integrate(j, fraction, ONE_Q16);
        return;
    }
    if (!is_aligned && j == 0) window_from = 0;
    integrate(j, 0, ONE_Q16);
    /* Without a voltage there are no crossings: a window is then 0.3 s after the last one. */
    uint32_t lost = (uint32_t)((uint64_t)rate_mhz * 3 / 10000);
    if (lost && j + 1 >= (uint32_t)(window_from >> 16) + lost && j > last_crossing + lost / 3) {
        close_window((uint64_t)(j + 1) << 16, 0);
        is_aligned = 0;
        boundary = 0;
    }
}

int measure_freeze(struct reading *out) {
    /* Registers stand at the newest sample. */
    if (samples_taken) book(samples_taken - 1);
    out->consumed_mj = counters.consumed_uj / 1000;
    out->injected_mj = counters.injected_uj / 1000;
    if (frozen_length_q4 == 0) return 0;
    int64_t length = (int64_t)frozen_length_q4;
    int64_t u2 = frozen_u2 / length, i2 = frozen_i2 / length, ui = frozen_ui / length;
    if (i2 < 0) i2 = 0;
    uint64_t i_na = (integer_root((uint64_t)i2 << 20) * (uint64_t)per_code_na()) >> 16;
    out->u_uv = microvolts(u2);
    out->i_ua = (uint32_t)((i_na + 500) / 1000);
    out->p_uw = ((ui * per_code2_nw()) >> 12) / 1000;
    out->s_mva = (uint32_t)(((uint64_t)out->u_uv * out->i_ua + 500000000) / 1000000000);
    int64_t p_mw = out->p_uw / 1000;
    uint64_t s2 = (uint64_t)out->s_mva * out->s_mva, p2 = (uint64_t)(p_mw * p_mw);
    out->n_mvar = s2 > p2 ? (uint32_t)integer_root(s2 - p2) : 0;
    out->pf_ppm = out->s_mva ? (int32_t)(p_mw * 1000000 / (int64_t)out->s_mva) : 0;
    /* Cycles per sample times the rate: 2^16 * 10^3 / 2^4 = 4096000. */
    uint64_t span = frozen_length_q16 >> 4;
    out->f_uhz = span ? (uint32_t)((uint64_t)frozen_cycles * rate_mhz * 4096000ull / span) : 0;
    out->windows = frozen_windows;
    out->unsynchronised = frozen_unsynchronised;
    out->number = ++reading_number;
    out->profile = profile;
    out->dip = dip;
    clear_frozen();
    return 1;
}
