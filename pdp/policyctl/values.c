/* The texts of durations, times and numbers: see options.h. Strict both ways. */
#include "options.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define NUMBER_MAX   ((int64_t)1 << 53)
#define DURATION_MAX ((int64_t)100 * 366 * 86400)
#define YEAR_MIN     1970
#define YEAR_MAX     9999

/* Reads digits at *at, at most 16 of them; false if there are none. */
static bool digits(const char **at, int64_t *ret)
{
    int64_t n = 0;
    size_t count = 0;
    for (; **at >= '0' && **at <= '9'; (*at)++) {
        if (++count > 16)
            return false;
        n = n * 10 + (**at - '0');
    }
    *ret = n;
    return count > 0;
}

bool number_read(const char *text, int64_t *ret)
{
    int64_t n;
    if (!digits(&text, &n) || *text != '\0' || n > NUMBER_MAX)
        return false;
    *ret = n;
    return true;
}

bool duration_read(const char *text, int64_t *ret_seconds)
{
    static const struct {
        const char *name;
        int64_t seconds;
    } units[] = {{"", 1}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}};
    int64_t n;
    if (!digits(&text, &n))
        return false;
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(text, units[i].name) == 0 && n <= DURATION_MAX / units[i].seconds) {
            *ret_seconds = n * units[i].seconds;
            return true;
        }
    }
    return false;
}

/* Exactly `count` digits. */
static bool field(const char **at, int count, int *ret)
{
    int n = 0;
    for (int i = 0; i < count; i++, (*at)++) {
        if (**at < '0' || **at > '9')
            return false;
        n = n * 10 + (**at - '0');
    }
    *ret = n;
    return true;
}

static bool mark(const char **at, char c)
{
    return *(*at)++ == c;
}

/* "Z" or "+hh:mm" to seconds east of UTC. */
static bool zone(const char *at, int64_t *ret)
{
    if (strcmp(at, "Z") == 0) {
        *ret = 0;
        return true;
    }
    int sign = *at == '-' ? -1 : 1, hours, minutes;
    if ((*at != '+' && *at != '-') || strlen(at) != 6)
        return false;
    at++;
    if (!field(&at, 2, &hours) || !mark(&at, ':') || !field(&at, 2, &minutes))
        return false;
    *ret = sign * (hours * 3600 + minutes * 60);
    return hours < 24 && minutes < 60;
}

bool time_read(const char *text, int64_t *ret_unix)
{
    if (number_read(text, ret_unix))
        return true;
    if (strlen(text) < 20)
        return false;
    struct tm t = {0};
    int64_t east;
    if (!field(&text, 4, &t.tm_year) || !mark(&text, '-') || !field(&text, 2, &t.tm_mon) ||
        !mark(&text, '-') || !field(&text, 2, &t.tm_mday) || !mark(&text, 'T') ||
        !field(&text, 2, &t.tm_hour) || !mark(&text, ':') || !field(&text, 2, &t.tm_min) ||
        !mark(&text, ':') || !field(&text, 2, &t.tm_sec) || !zone(text, &east))
        return false;
    if (t.tm_year < YEAR_MIN || t.tm_year > YEAR_MAX || t.tm_hour > 23 || t.tm_min > 59 ||
        t.tm_sec > 59)
        return false;
    struct tm given = t;
    given.tm_year -= 1900;
    given.tm_mon -= 1;
    struct tm normal = given;
    time_t utc = timegm(&normal); /* normalises 31 April to 1 May: not a date that was meant */
    if (normal.tm_mon != given.tm_mon || normal.tm_mday != given.tm_mday)
        return false;
    if ((int64_t)utc - east < 0)
        return false;
    *ret_unix = (int64_t)utc - east;
    return true;
}

const char *time_text(int64_t unix_seconds, char out[TIME_TEXT])
{
    time_t t = (time_t)unix_seconds;
    struct tm parts;
    if (unix_seconds <= 0 || localtime_r(&t, &parts) == NULL ||
        strftime(out, TIME_TEXT, "%Y-%m-%d %H:%M:%S", &parts) == 0)
        snprintf(out, TIME_TEXT, "-");
    return out;
}

const char *age_text(int64_t seconds, char out[TIME_TEXT])
{
    int64_t s = seconds < 0 ? 0 : seconds;
    if (s < 120)
        snprintf(out, TIME_TEXT, "%llds", (long long)s);
    else if (s < 2 * 3600)
        snprintf(out, TIME_TEXT, "%lldm", (long long)(s / 60));
    else if (s < 2 * 86400)
        snprintf(out, TIME_TEXT, "%lldh", (long long)(s / 3600));
    else
        snprintf(out, TIME_TEXT, "%lldd", (long long)(s / 86400));
    return out;
}
