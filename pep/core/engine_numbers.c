/*
 * Numbers, time and addresses for policies: math.*, clock, cidr.
 *
 * math.* holds what gives the same bits on every machine: no sin, exp or pow, whose last digit
 * differs between libraries, and no random. clock() breaks a given time down at a fixed offset:
 * zone names would make a decision depend on the machine's zone tables. cidr() reads addresses
 * strictly, with inet_pton, and treats ::ffff:10.0.0.1 as 10.0.0.1, so that no rule is passed by
 * the other spelling.
 */
#include "engine_internal.h"

#include <arpa/inet.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- math ---- */

static void need_number(lua_State *L, int index, const char *word)
{
    if (lua_type(L, index) != LUA_TNUMBER) /* a text is not one: converting it takes time */
        luaL_error(L, "math.%s: needs a number, got %s", word, luaL_typename(L, index));
}

/* As an integer where it fits, as Lua's floor and ceil give. */
static int push_rounded(lua_State *L, double d)
{
    lua_Integer i;
    if (lua_numbertointeger(d, &i))
        lua_pushinteger(L, i);
    else
        lua_pushnumber(L, d);
    return 1;
}

static int math_floor(lua_State *L)
{
    need_number(L, 1, "floor");
    lua_settop(L, 1);
    return lua_isinteger(L, 1) ? 1 : push_rounded(L, floor(lua_tonumber(L, 1)));
}

static int math_ceil(lua_State *L)
{
    need_number(L, 1, "ceil");
    lua_settop(L, 1);
    return lua_isinteger(L, 1) ? 1 : push_rounded(L, ceil(lua_tonumber(L, 1)));
}

static int math_abs(lua_State *L)
{
    need_number(L, 1, "abs");
    if (lua_isinteger(L, 1)) {
        lua_Integer i = lua_tointeger(L, 1);
        lua_pushinteger(L, i < 0 ? (lua_Integer)(0u - (lua_Unsigned)i) : i);
    } else {
        lua_pushnumber(L, fabs(lua_tonumber(L, 1)));
    }
    return 1;
}

static int math_sqrt(lua_State *L)
{
    need_number(L, 1, "sqrt");
    lua_pushnumber(L, sqrt(lua_tonumber(L, 1)));
    return 1;
}

static int math_fmod(lua_State *L)
{
    need_number(L, 1, "fmod");
    need_number(L, 2, "fmod");
    if (lua_isinteger(L, 1) && lua_isinteger(L, 2)) {
        lua_Integer d = lua_tointeger(L, 2);
        if (d == 0)
            return luaL_error(L, "math.fmod: the divisor is zero");
        lua_pushinteger(L, d == -1 ? 0 : lua_tointeger(L, 1) % d);
    } else {
        pep_charge(L, 8); /* up to two thousand subtractions */
        lua_pushnumber(L, fmod(lua_tonumber(L, 1), lua_tonumber(L, 2)));
    }
    return 1;
}

static int math_modf(lua_State *L)
{
    need_number(L, 1, "modf");
    double d = lua_tonumber(L, 1), whole = d < 0 ? ceil(d) : floor(d);
    push_rounded(L, whole);
    lua_pushnumber(L, isinf(d) ? 0.0 : d - whole);
    return 2;
}

static int extreme(lua_State *L, const char *word, bool largest)
{
    int n = lua_gettop(L), best = 1;
    pep_need_few(L, n, largest ? "math.max" : "math.min");
    pep_charge(L, (size_t)n / 8);
    need_number(L, 1, word);
    for (int i = 2; i <= n; i++) {
        need_number(L, i, word);
        if (largest ? lua_compare(L, best, i, LUA_OPLT) : lua_compare(L, i, best, LUA_OPLT))
            best = i;
    }
    lua_pushvalue(L, best);
    return 1;
}

static int math_max(lua_State *L)
{
    return extreme(L, "max", true);
}

static int math_min(lua_State *L)
{
    return extreme(L, "min", false);
}

static int math_tointeger(lua_State *L)
{
    int is_integer = 0;
    lua_Integer i = lua_type(L, 1) == LUA_TNUMBER ? lua_tointegerx(L, 1, &is_integer) : 0;
    if (is_integer)
        lua_pushinteger(L, i);
    else
        lua_pushnil(L);
    return 1;
}

static int math_type(lua_State *L)
{
    luaL_checkany(L, 1);
    if (lua_type(L, 1) == LUA_TNUMBER)
        lua_pushstring(L, lua_isinteger(L, 1) ? "integer" : "float");
    else
        lua_pushnil(L);
    return 1;
}

static int math_ult(lua_State *L)
{
    lua_Integer a = pep_need_integer(L, 1, "math.ult"), b = pep_need_integer(L, 2, "math.ult");
    lua_pushboolean(L, (lua_Unsigned)a < (lua_Unsigned)b);
    return 1;
}

/* ---- clock ---- */

/* "+01:00", "-05:30", "Z", "UTC" or absent: seconds east. */
static int offset_at(lua_State *L, int index)
{
    if (lua_isnoneornil(L, index))
        return 0;
    size_t n = 0;
    const char *s = lua_type(L, index) == LUA_TSTRING ? lua_tolstring(L, index, &n) : "";
    if (strcmp(s, "Z") == 0 || strcmp(s, "UTC") == 0)
        return 0;
    bool shape = n == 6 && (s[0] == '+' || s[0] == '-') && s[3] == ':';
    for (int i = 1; shape && i < 6; i++)
        shape = i == 3 || (s[i] >= '0' && s[i] <= '9');
    int hours = shape ? (s[1] - '0') * 10 + s[2] - '0' : 99;
    int minutes = shape ? (s[4] - '0') * 10 + s[5] - '0' : 99;
    if (hours > 14 || minutes > 59)
        return luaL_error(L, "clock: the offset must look like \"+01:00\"");
    return (s[0] == '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
}

static void set_integer(lua_State *L, const char *name, int64_t value)
{
    lua_pushinteger(L, value);
    lua_setfield(L, -2, name);
}

/* Civil date of a day number since 1970 (after Howard Hinnant's days_from_civil, public domain). */
static void civil(int64_t day, int64_t *year, int *month, int *mday)
{
    day += 719468;
    int64_t era = (day >= 0 ? day : day - 146096) / 146097;
    int64_t doe = day - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    *mday = (int)(doy - (153 * mp + 2) / 5 + 1);
    *month = (int)(mp < 10 ? mp + 3 : mp - 9);
    *year = yoe + era * 400 + (*month <= 2);
}

static int word_clock(lua_State *L)
{
    if (lua_type(L, 1) != LUA_TNUMBER)
        return luaL_error(L, "clock: needs a time, as in clock(ctx.now, \"+01:00\")");
    double now = lua_tonumber(L, 1);
    if (!(now > -1e11 && now < 1e12))
        return luaL_error(L, "clock: the time is out of range");
    int64_t t = (int64_t)floor(now) + offset_at(L, 2);
    int64_t day = t / 86400 - (t % 86400 < 0), second = t - day * 86400, year;
    int month, mday;
    char hhmm[16];
    civil(day, &year, &month, &mday);
    pep_charge(L, 20);
    lua_createtable(L, 0, 10);
    set_integer(L, "year", year);
    set_integer(L, "month", month);
    set_integer(L, "day", mday);
    set_integer(L, "hour", second / 3600);
    set_integer(L, "min", second / 60 % 60);
    set_integer(L, "sec", second % 60);
    set_integer(L, "wday",
                ((day + 3) % 7 + 7) % 7 + 1); /* 1970-01-01 was a Thursday; 1 is Monday */
    snprintf(hhmm, sizeof(hhmm), "%02d:%02d", (int)(second / 3600), (int)(second / 60 % 60));
    lua_pushstring(L, hhmm);
    lua_setfield(L, -2, "hhmm");
    return 1;
}

/* ---- cidr ---- */

struct address {
    int bits; /* 32, 128, or 0 for none */
    unsigned char bytes[16];
};

static struct address read_address(const char *text, size_t size)
{
    static const unsigned char mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    struct address a = {0, {0}};
    char copy[64];
    if (size == 0 || size >= sizeof(copy) || memchr(text, 0, size) != NULL)
        return a;
    memcpy(copy, text, size);
    copy[size] = '\0';
    if (inet_pton(AF_INET, copy, a.bytes) == 1)
        a.bits = 32;
    else if (inet_pton(AF_INET6, copy, a.bytes) == 1)
        a.bits = 128;
    if (a.bits == 128 && memcmp(a.bytes, mapped, 12) == 0) {
        memmove(a.bytes, a.bytes + 12, 4);
        a.bits = 32;
    }
    return a;
}

static bool in_block(const struct address *a, const struct address *net, int prefix)
{
    if (a->bits == 0 || a->bits != net->bits)
        return false;
    int whole = prefix / 8, rest = prefix % 8;
    if (memcmp(a->bytes, net->bytes, (size_t)whole) != 0)
        return false;
    return rest == 0 || ((a->bytes[whole] ^ net->bytes[whole]) >> (8 - rest)) == 0;
}

static int word_cidr(lua_State *L)
{
    size_t n, size = 0;
    if (lua_type(L, 2) != LUA_TSTRING)
        return luaL_error(L, "cidr: needs a block, as in cidr(ctx.ip, \"10.0.0.0/8\")");
    const char *block = lua_tolstring(L, 2, &n), *slash = memchr(block, '/', n);
    struct address net = read_address(block, slash == NULL ? n : (size_t)(slash - block));
    bool mapped = net.bits == 32 && memchr(block, ':', n) != NULL;
    int prefix = net.bits;
    if (slash != NULL) {
        size_t digits = n - (size_t)(slash + 1 - block);
        prefix = digits == 0 || digits > 3 ? -1 : 0;
        for (const char *c = slash + 1; prefix >= 0 && c < block + n; c++)
            prefix = *c >= '0' && *c <= '9' ? prefix * 10 + *c - '0' : -1;
        if (mapped)
            prefix -= 96;
    }
    if (net.bits == 0 || prefix < 0 || prefix > net.bits)
        return luaL_error(L, "cidr: `%s` is not an address block", block);
    const char *ip = lua_type(L, 1) == LUA_TSTRING ? lua_tolstring(L, 1, &size) : NULL;
    pep_charge(L, 10);
    struct address a = read_address(ip == NULL ? "" : ip, size);
    lua_pushboolean(L, in_block(&a, &net, prefix));
    return 1;
}

/* ---- the environment ---- */

static const luaL_Reg math_words[] = {{"floor", math_floor},
                                      {"ceil", math_ceil},
                                      {"abs", math_abs},
                                      {"sqrt", math_sqrt},
                                      {"fmod", math_fmod},
                                      {"modf", math_modf},
                                      {"max", math_max},
                                      {"min", math_min},
                                      {"type", math_type},
                                      {"ult", math_ult},
                                      {"tointeger", math_tointeger},
                                      {NULL, NULL}};

void pep_numbers_open(lua_State *L)
{
    lua_pushcfunction(L, word_clock);
    lua_setfield(L, -2, "clock");
    lua_pushcfunction(L, word_cidr);
    lua_setfield(L, -2, "cidr");
    luaL_newlib(L, math_words);
    lua_pushnumber(L, HUGE_VAL);
    lua_setfield(L, -2, "huge");
    lua_pushnumber(L, 3.141592653589793238462643383279502884);
    lua_setfield(L, -2, "pi");
    lua_pushinteger(L, LUA_MAXINTEGER);
    lua_setfield(L, -2, "maxinteger");
    lua_pushinteger(L, LUA_MININTEGER);
    lua_setfield(L, -2, "mininteger");
    pep_push_read_only(L);
    lua_setfield(L, -2, "math");
}
