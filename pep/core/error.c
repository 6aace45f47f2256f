/* Error codes and their texts. One table, so that a code without a text cannot exist. */
#include "error.h"

#include "bytes.h"

#include <stdarg.h>
#include <stdio.h>

static const char *const texts[] = {
    [-PEP_OK] = "no error",
    [-PEP_EINVAL] = "an argument or option is wrong",
    [-PEP_ENOMEM] = "no memory",
    [-PEP_EIO] = "a file or system call failed",
    [-PEP_ETIMEDOUT] = "not within the time given",
    [-PEP_EFORMAT] = "malformed",
    [-PEP_ESIGNATURE] = "signature missing, wrong, or by a key that may not sign this",
    [-PEP_EEXPIRED] = "expired",
    [-PEP_EROLLBACK] = "older than what was already active, or the same version with other content",
    [-PEP_ELIMIT] = "larger than a documented limit",
    [-PEP_ENOTFOUND] = "not found",
    [-PEP_EDENIED] = "refused by the server",
    [-PEP_EPOLICY] = "the policy does not compile",
    [-PEP_ECONFLICT] = "somebody else was first",
    [-PEP_ESTATE] = "not possible in this state",
    [-PEP_ELUA] = "this process exports another Lua; build libpep with -DPEP_LUA_SOURCE=DIR",
    [-PEP_ETOKEN] = "token not valid",
};

const char *pep_strerror(int err)
{
    size_t i = err > 0 ? 0 : (size_t)-(long)err;
    if (err > 0 || i >= sizeof(texts) / sizeof(texts[0]) || texts[i] == NULL)
        return "unknown error";
    return texts[i];
}

int pep_error_set(struct pep_error *err, int code, const char *format, ...)
{
    if (err == NULL || err->code != PEP_OK)
        return code;
    err->code = code;
    va_list ap;
    va_start(ap, format);
    if (vsnprintf(err->text, sizeof(err->text), format, ap) < 0)
        err->text[0] = '\0';
    va_end(ap);
    pep_text_mend(err->text);
    return code;
}

const char *pep_error_text(const struct pep_error *err)
{
    if (err == NULL || err->text[0] == '\0')
        return pep_strerror(err == NULL ? PEP_OK : err->code);
    return err->text;
}
