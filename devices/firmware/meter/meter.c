/* Meter firmware for the STM32F1 family with 8 KiB of memory: one node of a metering network.
 *
 * USART1 is the network as an SLCAN adapter, USART2 the stimulus port (samples in, EEPROM). Both and
 * SysTick lie at the same addresses in an STM32F100 (QEMU's `stm32vldiscovery`) and an STM32F107.
 * No vendor library, no C library.
 */
#include "line.h"
#include "measure.h"

#define VERSION_MAJOR 1
#define VERSION_MINOR 0

#define REGISTER(address) (*(volatile uint32_t *)(address))
#define RCC_APB2ENR REGISTER(0x40021018u)
#define RCC_APB1ENR REGISTER(0x4002101Cu)
#define GPIOA_CRL   REGISTER(0x40010800u)
#define GPIOA_CRH   REGISTER(0x40010804u)
#define NVIC_ISER1  REGISTER(0xE000E104u)
#define SYST_CSR    REGISTER(0xE000E010u)
#define SYST_RVR    REGISTER(0xE000E014u)
#define SYST_CVR    REGISTER(0xE000E018u)
#define UART_SR(base)  REGISTER((base) + 0x00u)
#define UART_DR(base)  REGISTER((base) + 0x04u)
#define UART_BRR(base) REGISTER((base) + 0x08u)
#define UART_CR1(base) REGISTER((base) + 0x0Cu)
enum { RXNE = 1u << 5, TXE = 1u << 7, ORE = 1u << 3, RUN = 0x202Cu /* UE, RXNEIE, TE, RE */ };
enum { ROOM = 512, RECORD = 64 };

static const uint32_t uart[LINES] = { 0x40013800u, 0x40004400u };

/* --- lines ------------------------------------------------------------------------------------ */

static struct { volatile uint16_t head, tail; volatile uint32_t lost; uint8_t byte[ROOM]; } ring[LINES];

static void receive(int line) {
    uint32_t status = UART_SR(uart[line]);
    if (status & ORE) ring[line].lost++;
    if (!(status & (RXNE | ORE))) return;
    uint8_t byte = (uint8_t)UART_DR(uart[line]);
    uint16_t next = (uint16_t)((ring[line].head + 1u) % ROOM);
    if (next == ring[line].tail) { ring[line].lost++; return; }
    ring[line].byte[ring[line].head] = byte;
    ring[line].head = next;
}
void usart1_interrupt(void) { receive(CAN_LINE); }
void usart2_interrupt(void) { receive(BENCH_LINE); }
int line_get(int line) {
    uint16_t tail = ring[line].tail;
    if (tail == ring[line].head) return -1;
    int byte = ring[line].byte[tail];
    ring[line].tail = (uint16_t)((tail + 1u) % ROOM);
    return byte;
}
void line_put(int line, uint8_t byte) {
    while (!(UART_SR(uart[line]) & TXE)) {}
    UART_DR(uart[line]) = byte;
}
uint32_t lines_lost(void) { return ring[CAN_LINE].lost + ring[BENCH_LINE].lost; }

/* --- what outlives a loss of supply ------------------------------------------------------------ */

enum { MAGIC = 0x314D4C45, TEST_MEMORY = 1, TEST_ARITHMETIC = 2, TEST_EEPROM = 4 };
static uint8_t node = 1;
static uint16_t self_test; /* a bit for each test that failed */
static int has_record;
static uint32_t image_crc, last_stored;

static void keep_record(void) {
    uint8_t r[RECORD] = { 0 };
    put_le(r, MAGIC, 4);
    r[4] = node;
    put_le(r + 6, counters.restarts, 2);
    put_le(r + 8, counters.consumed_uj, 8);
    put_le(r + 16, counters.injected_uj, 8);
    put_le(r + 24, (uint32_t)calibration.u_gain, 4);
    put_le(r + 28, (uint32_t)calibration.i_gain, 4);
    put_le(r + 32, (uint32_t)calibration.u_offset, 4);
    put_le(r + 36, (uint32_t)calibration.i_offset, 4);
    put_le(r + 40, profile_interval, 4);
    put_le(r + RECORD - 2, crc16(r, RECORD - 2), 2);
    bench_send(0x83, 0, r, RECORD);
}

static void take_record(const uint8_t *r, uint32_t length) {
    if (has_record) return;
    has_record = 1;
    counters.restarts = 0;
    if (length == RECORD && get_le(r, 4) == MAGIC && crc16(r, RECORD - 2) == get_le(r + RECORD - 2, 2)) {
        node = r[4];
        counters.restarts = (uint32_t)get_le(r + 6, 2) + 1;
        counters.consumed_uj = get_le(r + 8, 8);
        counters.injected_uj = get_le(r + 16, 8);
        calibration.u_gain = (int32_t)get_le(r + 24, 4);
        calibration.i_gain = (int32_t)get_le(r + 28, 4);
        calibration.u_offset = (int32_t)get_le(r + 32, 4);
        calibration.i_offset = (int32_t)get_le(r + 36, 4);
        profile_interval = (uint32_t)get_le(r + 40, 4);
        measure_begin_interval();
    } else if (length == 1 && r[0] >= 1 && r[0] <= 31) {
        node = r[0]; /* a blank EEPROM and the address switches */
    } else {
        self_test |= TEST_EEPROM;
    }
    keep_record();
}

/* --- stimulus port ----------------------------------------------------------------------------- */

void bench_frame(uint8_t kind, uint8_t number, const uint8_t *data, uint32_t length) {
    static int last_number = -1;
    uint8_t answer[12];
    if (kind == 0x03) { take_record(data, length); return; }
    if (kind == 0x02 && length == 4) {
        measure_reset();
        measure_set_rate((uint32_t)get_le(data, 4));
        last_stored = 0;
        last_number = -1;
    } else if (kind == 0x01 && length % 3 == 0) {
        for (uint32_t k = 0; number != last_number && k < length; k += 3) {
            uint32_t pair = (uint32_t)get_le(data + k, 3);
            measure_pair(pair & 0xFFF, pair >> 12);
        }
        last_number = number; /* the same frame again is only answered */
        if (windows_done >= last_stored + 50) { last_stored = windows_done; keep_record(); }
    } else {
        bad_frames++;
        bench_send(0x8E, 3, 0, 0);
        return;
    }
    put_le(answer, samples_taken, 4);
    put_le(answer + 4, windows_done, 4);
    put_le(answer + 8, lines_lost(), 4);
    bench_send(0x81, number, answer, 12);
}

/* --- the node on the metering network: identifier = register * 32 + node ------------------------ */

enum {
    FREEZE = 0x01, COMPACT_FREEZE = 0x02, VOLTAGE_CURRENT = 0x10, ACTIVE = 0x11, APPARENT = 0x12, FACTOR_FREQUENCY = 0x13,
    CONSUMED = 0x14, INJECTED = 0x15, NUMBER = 0x16, PROFILE = 0x17, STATUS = 0x18, VERSION = 0x19,
    CALIBRATION = 0x1A, DIP = 0x1C,
    COMPACT_VOLTAGE = 0x20, COMPACT_CURRENT, COMPACT_ACTIVE, COMPACT_APPARENT, COMPACT_NON_ACTIVE,
    COMPACT_FACTOR, COMPACT_FREQUENCY, COMPACT_CONSUMED, COMPACT_INJECTED,
    COMPACT_DIP_RESIDUAL = 0x2B, COMPACT_DIP_DURATION, COMPACT_PROFILE, COMPACT_NUMBER
};
static struct reading frozen;

static void calibrate(uint32_t id, const uint8_t *data, int length) {
    int32_t *value[] = { &calibration.u_gain, &calibration.i_gain, &calibration.u_offset,
                         &calibration.i_offset, (int32_t *)&profile_interval };
    uint8_t d[8] = { 0 };
    if (length < 1 || data[0] >= sizeof value / sizeof *value) return;
    if (length == 8) {
        int32_t wanted = (int32_t)get_be(data + 4, 4);
        int is_gain = data[0] < 2, is_offset = data[0] < 4 && !is_gain;
        int fits = is_gain ? wanted > 0x200000 && wanted < 0x600000
                 : is_offset ? wanted >= -0x100000 && wanted <= 0x100000 : wanted >= 0 && wanted <= 3600;
        d[1] = !fits;
        if (fits) { *value[data[0]] = wanted; keep_record(); }
        if (fits && value[data[0]] == (int32_t *)&profile_interval) measure_begin_interval();
    } else if (length != 1) {
        return;
    }
    d[0] = data[0];
    put_be(d + 4, (uint32_t)*value[data[0]], 4);
    slcan_send(id, d, 8);
}

static uint32_t at_most(uint32_t x, uint32_t most) { return x < most ? x : most; }
static int64_t rounded(int64_t x, int64_t divisor) {
    return (x + (x < 0 ? -divisor : divisor) / 2) / divisor;
}

/* Registers of 4 bytes: those above in coarser steps; 0 if there is no such register. */
static int compact(uint32_t number, uint8_t *d) {
    const struct dip *dip = &frozen.dip;
    uint32_t value;
    switch (number) {
    case COMPACT_VOLTAGE: value = frozen.u_uv; break;
    case COMPACT_CURRENT: value = frozen.i_ua; break;
    case COMPACT_ACTIVE: value = (uint32_t)rounded(frozen.p_uw, 1000); break;
    case COMPACT_APPARENT: value = frozen.s_mva; break;
    case COMPACT_NON_ACTIVE: value = frozen.n_mvar; break;
    case COMPACT_FACTOR: value = (uint32_t)frozen.pf_ppm; break;
    case COMPACT_FREQUENCY: value = frozen.f_uhz; break;
    case COMPACT_CONSUMED: value = (uint32_t)(frozen.consumed_mj / 100000); break;
    case COMPACT_INJECTED: value = (uint32_t)(frozen.injected_mj / 100000); break;
    case COMPACT_DIP_RESIDUAL: value = dip->number << 24 | dip->residual_mv; break;
    case COMPACT_DIP_DURATION: value = dip->number << 24 | at_most(dip->duration_ms, 0xFFFFFF); break;
    case COMPACT_PROFILE:
        value = frozen.profile.number << 24 | ((uint32_t)rounded(frozen.profile.p_mw, 100) & 0xFFFFFF);
        break;
    case COMPACT_NUMBER: value = frozen.number << 16 | at_most(frozen.unsynchronised, 0xFFFF); break;
    default: return 0;
    }
    put_be(d, value, 4);
    return 1;
}

void node_frame(uint32_t id, int is_remote, const uint8_t *data, int length) {
    uint32_t number = id >> 5, to = id & 31;
    uint8_t d[8] = { 0 };
    int is_order = number == FREEZE || number == COMPACT_FREEZE;
    if (to != node && !(to == 0 && is_order)) return;
    if (!is_remote) {
        if (is_order) {
            struct reading next = frozen;
            if (measure_freeze(&next)) frozen = next;
            /* An order to all is answered by each under its own identifier. The token that came with
               the order distinguishes the answer from a late one. */
            uint8_t token = length > 0 ? data[0] : 0;
            if (number == FREEZE) {
                put_be(d, frozen.number, 4);
                put_be(d + 4, frozen.windows, 3);
                d[7] = token;
            } else {
                d[0] = token;
                put_be(d + 1, frozen.number, 3);
            }
            slcan_send(number << 5 | node, d, number == FREEZE ? 8 : 4);
        } else if (number == CALIBRATION) {
            calibrate(id, data, length);
        }
        return;
    }
    switch (number) {
    case VOLTAGE_CURRENT: put_be(d, frozen.u_uv, 4); put_be(d + 4, frozen.i_ua, 4); break;
    case ACTIVE: put_be(d, (uint64_t)frozen.p_uw, 8); break;
    case APPARENT: put_be(d, frozen.s_mva, 4); put_be(d + 4, frozen.n_mvar, 4); break;
    case FACTOR_FREQUENCY: put_be(d, (uint32_t)frozen.pf_ppm, 4); put_be(d + 4, frozen.f_uhz, 4); break;
    case CONSUMED: put_be(d, frozen.consumed_mj, 8); break;
    case INJECTED: put_be(d, frozen.injected_mj, 8); break;
    case NUMBER: put_be(d, frozen.number, 4); put_be(d + 4, frozen.unsynchronised, 4); break;
    case PROFILE:
        put_be(d, frozen.profile.number, 4);
        put_be(d + 4, (uint32_t)frozen.profile.p_mw, 4);
        break;
    case DIP:
        put_be(d, frozen.dip.number, 2);
        put_be(d + 2, frozen.dip.residual_mv, 3);
        put_be(d + 5, at_most(frozen.dip.duration_ms, 0xFFFFFF), 3);
        break;
    case STATUS:
        put_be(d, self_test, 2);
        put_be(d + 2, counters.restarts, 2);
        put_be(d + 4, bad_frames, 2);
        put_be(d + 6, lines_lost(), 2);
        break;
    case VERSION:
        d[0] = VERSION_MAJOR; d[1] = VERSION_MINOR; d[2] = node;
        put_be(d + 4, image_crc, 4);
        break;
    default:
        if (compact(number, d)) slcan_send(id, d, 4);
        return;
    }
    slcan_send(id, d, 8);
}

/* The compiler calls these by itself. */
void *memset(void *to, int value, uint32_t n) {
    for (uint8_t *p = to; n--;) *p++ = (uint8_t)value;
    return to;
}
void *memcpy(void *to, const void *from, uint32_t n) {
    const uint8_t *s = from;
    for (uint8_t *p = to; n--;) *p++ = *s++;
    return to;
}

/* --- start -------------------------------------------------------------------------------------- */

extern uint32_t _sidata, _sdata, _edata, _sbss, _ebss, _estack, _image_end;
extern void *const vectors[];

static void test_oneself(void) {
    static volatile uint32_t probe[16];
    for (uint32_t k = 0; k < 16; k++) probe[k] = 0xA5A5A5A5u ^ k;
    for (uint32_t k = 0; k < 16; k++) if (probe[k] != (0xA5A5A5A5u ^ k)) self_test |= TEST_MEMORY;
    if (integer_root(1ull << 62) != 1ull << 31 || integer_root(99) != 9) self_test |= TEST_ARITHMETIC;
    /* CRC-32/ISO-HDLC of the image as it lies in the flash. */
    uint32_t crc = 0xFFFFFFFFu;
    for (const uint8_t *p = (const uint8_t *)vectors; p < (const uint8_t *)&_image_end; p++) {
        crc ^= *p;
        for (int k = 0; k < 8; k++) crc = crc & 1 ? crc >> 1 ^ 0xEDB88320u : crc >> 1;
    }
    image_crc = ~crc;
}

static void put_text(const char *text) { while (*text) line_put(CAN_LINE, (uint8_t)*text++); }

static void banner(void) {
    put_text("LASTMETER meter ");
    line_put(CAN_LINE, '0' + VERSION_MAJOR);
    line_put(CAN_LINE, '.');
    line_put(CAN_LINE, '0' + VERSION_MINOR);
    put_text(" node ");
    if (node > 9) line_put(CAN_LINE, (uint8_t)('0' + node / 10));
    line_put(CAN_LINE, (uint8_t)('0' + node % 10));
    put_text(" image ");
    for (int k = 28; k >= 0; k -= 4) line_put(CAN_LINE, (uint8_t)"0123456789abcdef"[(image_crc >> k) & 15]);
    line_put(CAN_LINE, '\r');
}

static void run(void) {
    RCC_APB2ENR |= 1u << 14 | 1u << 2 | 1u; /* USART1, port A, alternate functions */
    RCC_APB1ENR |= 1u << 17;                /* USART2 */
    GPIOA_CRH = (GPIOA_CRH & ~0xFF0u) | 0x4B0u;   /* PA9 out, PA10 in */
    GPIOA_CRL = (GPIOA_CRL & ~0xFF00u) | 0x4B00u; /* PA2 out, PA3 in */
    UART_BRR(uart[CAN_LINE]) = 8000000u / 115200u;
    UART_BRR(uart[BENCH_LINE]) = 8000000u / 460800u;
    UART_CR1(uart[CAN_LINE]) = RUN;
    UART_CR1(uart[BENCH_LINE]) = RUN;
    NVIC_ISER1 = 1u << (37 - 32) | 1u << (38 - 32);
    calibration.u_gain = calibration.i_gain = 0x400000;
    calibration.u_offset = calibration.i_offset = 21845; /* a third of a code: 1707 - 1.5 V / 3.6 V * 4096 */
    profile_interval = 60;
    test_oneself();
    measure_set_rate(6400000);
    measure_reset();
    /* Two seconds for the EEPROM, counted at 8 MHz; a record that comes later is taken as well. */
    SYST_RVR = 7999999; SYST_CVR = 0; SYST_CSR = 5;
    bench_send(0x84, 0, 0, 0);
    for (int seconds = 0; !has_record && seconds < 2;) {
        if (SYST_CSR & 1u << 16) seconds++;
        for (int b; (b = line_get(BENCH_LINE)) >= 0;) bench_byte((uint8_t)b);
    }
    SYST_CSR = 0;
    if (!has_record) self_test |= TEST_EEPROM;
    banner();
    for (;;) {
        int byte, is_idle = 1;
        while ((byte = line_get(CAN_LINE)) >= 0) { slcan_byte((uint8_t)byte); is_idle = 0; }
        while ((byte = line_get(BENCH_LINE)) >= 0) { bench_byte((uint8_t)byte); is_idle = 0; }
        if (is_idle) { /* masked, looked at again, then asleep: no wake-up is lost */
            __asm volatile("cpsid i");
            if (ring[0].head == ring[0].tail && ring[1].head == ring[1].tail) __asm volatile("wfi");
            __asm volatile("cpsie i");
        }
    }
}

void reset(void) {
    for (uint32_t *s = &_sidata, *d = &_sdata; d < &_edata;) *d++ = *s++;
    for (uint32_t *d = &_sbss; d < &_ebss;) *d++ = 0;
    run();
}
void hang(void) { for (;;) {} }
__attribute__((section(".vectors"), used)) void *const vectors[16 + 39] = {
    &_estack, reset, hang, hang, hang, hang, hang, 0, 0, 0, 0, hang, hang, 0, hang, hang,
    [16 + 37] = usart1_interrupt, [16 + 38] = usart2_interrupt,
};
