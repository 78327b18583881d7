/* The calendar by arithmetic, not by libc: these functions are pure, and a signed zone has two
 * times a signature. Years begin in March here, so that a leap day is the last of its year. */
#include "lib/dns/rdata_time.h"

#include <stddef.h>

#include "lib/base/bytes.h"

#define DAYS_400_YEARS 146097u
#define DAYS_BEFORE_1970 719468u /* from 1 March of year 0 */

static void put_digits(char *out, unsigned n, uint32_t v)
{
    while (n-- > 0) {
        out[n] = (char)('0' + v % 10);
        v /= 10;
    }
}

void rdata_time_put(char out[RDATA_TIME_TEXT], uint32_t t)
{
    uint32_t second = t % 86400;
    uint32_t day = t / 86400 + DAYS_BEFORE_1970;
    uint32_t era = day / DAYS_400_YEARS;
    uint32_t year, month;

    day %= DAYS_400_YEARS;
    year = (day - day / 1460 + day / 36524 - day / (DAYS_400_YEARS - 1)) / 365;
    day -= year * 365 + year / 4 - year / 100;
    month = (day * 5 + 2) / 153; /* from March */
    day -= (month * 153 + 2) / 5;
    year += era * 400 + (month >= 10 ? 1 : 0);
    put_digits(out, 4, year);
    put_digits(out + 4, 2, month < 10 ? month + 3 : month - 9);
    put_digits(out + 6, 2, day + 1);
    put_digits(out + 8, 2, second / 3600);
    put_digits(out + 10, 2, second / 60 % 60);
    put_digits(out + 12, 2, second % 60);
}

static bool get_digits(uint32_t *out, const char *text, unsigned n, uint32_t min, uint32_t max)
{
    uint32_t v = 0;

    for (unsigned i = 0; i < n; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        v = v * 10 + (uint32_t)(text[i] - '0');
    }
    *out = v;
    return v >= min && v <= max;
}

static uint32_t days_of_month(uint32_t year, uint32_t month)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return month == 2 && leap ? 29 : days[month - 1];
}

bool rdata_time_get(uint32_t *out, const char text[RDATA_TIME_TEXT])
{
    uint32_t year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
    uint32_t y, m;

    if (!get_digits(&year, text, 4, 1, 9999) || !get_digits(&month, text + 4, 2, 1, 12) ||
        !get_digits(&day, text + 6, 2, 1, days_of_month(year, month)) ||
        !get_digits(&hour, text + 8, 2, 0, 23) || !get_digits(&minute, text + 10, 2, 0, 59) ||
        !get_digits(&second, text + 12, 2, 0, 59))
        return false;
    y = month <= 2 ? year - 1 : year;
    m = month <= 2 ? month + 9 : month - 3;
    day += y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 - 1 - DAYS_BEFORE_1970;
    *out = day * 86400 + hour * 3600 + minute * 60 + second; /* modulo 2^32 before 1970 as well */
    return true;
}

bool rrsig_times(uint32_t *inception, uint32_t *expiration, const uint8_t *rdata, size_t len)
{
    struct reader r = reader_of(rdata, len);

    (void)read_bytes(&r, 8); /* type covered, algorithm, labels, original TTL */
    *expiration = read_u32(&r);
    *inception = read_u32(&r);
    return !r.failed;
}
