/* The adapter's side of the SLCAN line protocol, with the meter node behind it on the bus. */
#include "line.h"

enum { LINE_LENGTH = 32 };
static int is_open, stamps;

static int digit(char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10
         : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}
static void put_hex(uint32_t value, int digits) {
    while (digits--) line_put(CAN_LINE, (uint8_t)"0123456789ABCDEF"[(value >> (4 * digits)) & 15]);
}
static void put_text(const char *text) { while (*text) line_put(CAN_LINE, (uint8_t)*text++); }

void slcan_reset(void) { is_open = 0; }

void slcan_send(uint32_t id, const uint8_t *data, int length) {
    line_put(CAN_LINE, 't');
    put_hex(id, 3);
    put_hex((uint32_t)length, 1);
    for (int k = 0; k < length; k++) put_hex(data[k], 2);
    if (stamps) put_hex(0, 4); /* the board has no clock that means anything */
    line_put(CAN_LINE, '\r');
}

static int frame(const char *s, int n) {
    int is_extended = s[0] == 'T' || s[0] == 'R', is_remote = s[0] == 'r' || s[0] == 'R';
    int digits = is_extended ? 8 : 3;
    if (!is_open || n < digits + 2) return -1;
    uint32_t id = 0;
    for (int k = 1; k <= digits; k++) {
        int value = digit(s[k]);
        if (value < 0) return -1;
        id = id << 4 | (uint32_t)value;
    }
    int length = digit(s[digits + 1]);
    if (length < 0 || length > 8 || n != digits + 2 + (is_remote ? 0 : 2 * length)) return -1;
    if (id > (is_extended ? 0x1FFFFFFFu : 0x7FFu)) return -1;
    uint8_t data[8];
    for (int k = 0; k < (is_remote ? 0 : length); k++) {
        int high = digit(s[digits + 2 + 2 * k]), low = digit(s[digits + 3 + 2 * k]);
        if (high < 0 || low < 0) return -1;
        data[k] = (uint8_t)(high << 4 | low);
    }
    put_text(is_extended ? "Z\r" : "z\r");
    if (!is_extended) node_frame(id, is_remote, data, length);
    return 0;
}

static int command(const char *s, int n) { /* 0: answered; -1: to be refused */
    if (n == 0) { line_put(CAN_LINE, '\r'); return 0; }
    switch (s[0]) {
    case 'V': put_text("V1010\r"); return n == 1 ? 0 : -1;
    case 'N': put_text("NLM01\r"); return n == 1 ? 0 : -1;
    case 'F': if (!is_open || n != 1) return -1; put_text("F00\r"); return 0;
    case 'O': if (is_open || n != 1) return -1; is_open = 1; break;
    case 'C': if (n != 1) return -1; is_open = 0; break;
    case 'S': if (is_open || n != 2 || s[1] < '0' || s[1] > '8') return -1; break;
    case 'Z': if (is_open || n != 2 || (s[1] != '0' && s[1] != '1')) return -1; stamps = s[1] - '0'; break;
    case 't': case 'r': case 'T': case 'R': return frame(s, n);
    default: return -1;
    }
    line_put(CAN_LINE, '\r');
    return 0;
}

void slcan_byte(uint8_t byte) {
    static char line[LINE_LENGTH];
    static int n; /* -1: too long, up to its end */
    if (byte == '\r') {
        if (n < 0 || command(line, n) < 0) line_put(CAN_LINE, 7);
        n = 0;
    } else if (n >= 0 && n < LINE_LENGTH) {
        line[n++] = (char)byte;
    } else {
        n = -1;
    }
}
