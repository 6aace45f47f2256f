/* Lua values as JSON, and the times that tests are written with. Only raw access is used, so that
 * nothing here can raise while a half-built JSON value is owned. */
#include "engine_suite_internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

const char suite_no_memory[] = "no memory";

static json_t *value_at(lua_State *L, int index, bool list, int depth, const char **why);

static json_t *number_value(lua_State *L, int index, const char **why)
{
    if (lua_isinteger(L, index))
        return json_integer(lua_tointeger(L, index));
    double d = lua_tonumber(L, index);
    if (!isfinite(d)) {
        *why = "a number is infinite or not a number";
        return NULL;
    }
    return json_real(d);
}

static json_t *text_value(lua_State *L, int index, const char **why)
{
    size_t size;
    const char *text = lua_tolstring(L, index, &size);
    if (memchr(text, 0, size) == NULL && pep_utf8_valid(pep_span_of(text, size)))
        return json_stringn(text, size);
    *why = "a text is not UTF-8, or holds a NUL byte";
    return NULL;
}

/* Entries 1 to n and nothing else. */
static json_t *list_value(lua_State *L, int index, int depth, const char **why)
{
    size_t n = lua_rawlen(L, index), seen = 0;
    for (lua_pushnil(L); lua_next(L, index) != 0; lua_pop(L, 1))
        seen++;
    json_t *list = seen == n ? json_array() : NULL;
    if (seen != n)
        *why = "a table mixes a list with names";
    for (size_t i = 1; list != NULL && i <= n; i++) {
        lua_rawgeti(L, index, (lua_Integer)i);
        json_t *item = value_at(L, lua_gettop(L), true, depth, why);
        lua_pop(L, 1);
        if (item == NULL || json_array_append_new(list, item) != 0) {
            json_decref(list);
            list = NULL;
        }
    }
    return list;
}

static json_t *object_value(lua_State *L, int index, int depth, const char **why)
{
    json_t *object = json_object();
    for (lua_pushnil(L); object != NULL && lua_next(L, index) != 0; lua_pop(L, 1)) {
        json_t *member = NULL;
        if (lua_type(L, -2) == LUA_TSTRING)
            member = value_at(L, lua_gettop(L), true, depth, why);
        else
            *why = "a table mixes a list with names";
        size_t size;
        const char *key = member == NULL ? NULL : lua_tolstring(L, -2, &size);
        if (key != NULL && strlen(key) != size)
            *why = "a name holds a NUL byte";
        if (key == NULL || strlen(key) != size ||
            json_object_set_new(object, key, json_incref(member)) != 0) {
            json_decref(member);
            json_decref(object);
            lua_pop(L, 2);
            return NULL;
        }
        json_decref(member);
    }
    return object;
}

static json_t *table_value(lua_State *L, int index, bool list, int depth, const char **why)
{
    if (depth == 0 || !lua_checkstack(L, 8)) {
        *why = "tables are nested too deep";
        return NULL;
    }
    lua_pushnil(L);
    bool empty = lua_next(L, index) == 0;
    if (!empty)
        lua_pop(L, 2);
    if (empty)
        return list ? json_array() : json_object();
    return lua_rawlen(L, index) > 0 ? list_value(L, index, depth - 1, why)
                                    : object_value(L, index, depth - 1, why);
}

static json_t *value_at(lua_State *L, int index, bool list, int depth, const char **why)
{
    switch (lua_type(L, index)) {
    case LUA_TSTRING:
        return text_value(L, index, why);
    case LUA_TNUMBER:
        return number_value(L, index, why);
    case LUA_TBOOLEAN:
        return json_boolean(lua_toboolean(L, index));
    case LUA_TTABLE:
        return table_value(L, index, list, depth, why);
    default:
        *why = "only texts, numbers, booleans and tables of them can be used here";
        return NULL;
    }
}

json_t *suite_value(lua_State *L, int index, bool list, const char **ret_why)
{
    *ret_why = suite_no_memory;
    return value_at(L, lua_absindex(L, index), list, PEP_SUITE_DEPTH, ret_why);
}

/* ---- times ---- */

/* `count` digits; false without moving `*at` when they are not there. */
static bool digits(const char **at, int count, int low, int high, int *ret)
{
    int value = 0;
    for (int i = 0; i < count; i++) {
        char c = (*at)[i];
        if (c < '0' || c > '9')
            return false;
        value = value * 10 + (c - '0');
    }
    if (value < low || value > high)
        return false;
    *at += count;
    *ret = value;
    return true;
}

static bool skip(const char **at, char c)
{
    if (**at != c)
        return false;
    ++*at;
    return true;
}

/* Days from 1970-01-01 to a date of the proleptic Gregorian calendar (Howard Hinnant's algorithm).
 */
static long days_of(int year, int month, int day)
{
    year -= month <= 2;
    long era = year / 400, yoe = year % 400;
    long doy = (153L * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static bool read_date(const char **at, long *ret_days)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int year, month, day;
    if (!digits(at, 4, 1970, 9999, &year) || !skip(at, '-') || !digits(at, 2, 1, 12, &month) ||
        !skip(at, '-') || !digits(at, 2, 1, 31, &day) || !skip(at, 'T'))
        return false;
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    if (day > lengths[month - 1] + (month == 2 && leap))
        return false;
    *ret_days = days_of(year, month, day);
    return true;
}

static bool read_offset(const char **at, int *ret_seconds)
{
    int sign = **at == '-' ? -1 : 1, hours, minutes;
    if (skip(at, 'Z')) {
        *ret_seconds = 0;
        return true;
    }
    if ((**at != '+' && **at != '-') || !skip(at, **at) || !digits(at, 2, 0, 23, &hours) ||
        !skip(at, ':') || !digits(at, 2, 0, 59, &minutes))
        return false;
    *ret_seconds = sign * (hours * 3600 + minutes * 60);
    return true;
}

bool pep_suite_time(const char *text, double *ret)
{
    long days = PEP_SUITE_NOW / 86400;
    int hour, minute, second = 0, offset;
    if (strlen(text) > 5 && text[4] == '-' && !read_date(&text, &days))
        return false;
    if (!digits(&text, 2, 0, 23, &hour) || !skip(&text, ':') || !digits(&text, 2, 0, 59, &minute))
        return false;
    if (skip(&text, ':') && !digits(&text, 2, 0, 59, &second))
        return false;
    if (!read_offset(&text, &offset) || *text != '\0')
        return false;
    *ret = (double)days * 86400 + hour * 3600 + minute * 60 + second - offset;
    return true;
}
