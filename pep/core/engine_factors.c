/*
 * multi_factor(sub.amr): how somebody signed in, by RFC 8176. True if the issuer says "mfa", or if
 * the methods that it names are of two different classes: something known, owned, or of the body.
 * A password and a PIN are two methods and one factor. What RFC 8176 lists beyond (geo, rba, wia,
 * mca, pop, user) is no factor; names that it does not list count for nothing.
 *
 * The RFC itself warns that `amr` differs from issuer to issuer. Where an issuer has an `acr` for
 * this, a rule should ask for that one.
 */
#include "engine_internal.h"

#include <string.h>

enum factor {
    FACTOR_NONE = 0,
    FACTOR_KNOWN = 1,
    FACTOR_OWNED = 2,
    FACTOR_BODY = 4,
    FACTOR_ALL = 7
};

static const struct {
    const char *method;
    enum factor factor;
} methods[] = {
    {"pwd", FACTOR_KNOWN}, {"pin", FACTOR_KNOWN},   {"kba", FACTOR_KNOWN}, {"hwk", FACTOR_OWNED},
    {"swk", FACTOR_OWNED}, {"otp", FACTOR_OWNED},   {"sms", FACTOR_OWNED}, {"sc", FACTOR_OWNED},
    {"tel", FACTOR_OWNED}, {"face", FACTOR_BODY},   {"fpt", FACTOR_BODY},  {"iris", FACTOR_BODY},
    {"vbm", FACTOR_BODY},  {"retina", FACTOR_BODY}, {"mfa", FACTOR_ALL},
};

static unsigned factor_of(const struct pep_value *v)
{
    for (size_t i = 0; v->kind == PEP_V_STRING && i < sizeof(methods) / sizeof(methods[0]); i++) {
        if (v->size == strlen(methods[i].method) &&
            memcmp(v->u.string, methods[i].method, v->size) == 0)
            return methods[i].factor;
    }
    return FACTOR_NONE;
}

/* Of a table that the rule made, or that it reads through. */
static unsigned factors_in_table(lua_State *L, int index)
{
    bool read_only;
    unsigned all = FACTOR_NONE;
    if (!pep_push_table(L, index, &read_only))
        return all;
    size_t n = lua_rawlen(L, -1);
    pep_charge(L, n);
    for (size_t i = 1; i <= n; i++) {
        struct pep_value v;
        lua_rawgeti(L, -1, (lua_Integer)i);
        if (pep_get_value(L, -1, &v))
            all |= factor_of(&v);
        lua_pop(L, 1);
    }
    return all;
}

int pep_word_multi_factor(lua_State *L)
{
    struct pep_value v;
    unsigned all = FACTOR_NONE;
    lua_settop(L, 1);
    if (!pep_get_value(L, 1, &v)) {
        all = factors_in_table(L, 1);
    } else if (v.kind == PEP_V_LIST || v.kind == PEP_V_STRINGS) {
        pep_charge(L, v.size);
        for (size_t i = 0; i < v.size; i++) {
            struct pep_value item = pep_list_at(&v, i);
            all |= factor_of(&item);
        }
    } else {
        all = factor_of(&v);
    }
    lua_pushboolean(L, (all & (all - 1)) != 0); /* two of them */
    return 1;
}
