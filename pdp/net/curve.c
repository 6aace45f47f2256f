/* CURVE keys as text: see curve.h. */
#include "curve.h"

#include "pep.h"

#include <string.h>
#include <zmq.h>

int curve_generate(char public_key[CURVE_TEXT], char secret_key[CURVE_TEXT])
{
    return zmq_curve_keypair(public_key, secret_key) == 0 ? 0 : PEP_EIO;
}

bool curve_valid(const char *key)
{
    /* Checked here, so as not to rely on how each libzmq treats foreign characters. */
    static const char z85[] =
        "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";
    uint8_t raw[32];
    return strlen(key) == CURVE_TEXT - 1 && strspn(key, z85) == CURVE_TEXT - 1 &&
           zmq_z85_decode(raw, key) != NULL;
}

int curve_public(const char *secret_key, char public_key[CURVE_TEXT])
{
    char out[CURVE_TEXT];
    if (!curve_valid(secret_key) || zmq_curve_public(out, secret_key) != 0)
        return PEP_EFORMAT;
    memcpy(public_key, out, sizeof(out));
    return 0;
}

void curve_text(const uint8_t raw[32], char out[CURVE_TEXT])
{
    zmq_z85_encode(out, raw, 32);
}
