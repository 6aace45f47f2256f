/*
 * CURVE keys as Z85 text: 40 characters and NUL. Thin over libzmq, so that only pdp/net knows it.
 */
#ifndef PDP_NET_CURVE_H
#define PDP_NET_CURVE_H

#include <stdbool.h>
#include <stdint.h>

#define CURVE_TEXT 41

/* 0, or PEP_EIO. */
int curve_generate(char public_key[CURVE_TEXT], char secret_key[CURVE_TEXT]);
/* The public key of a secret one; PEP_EFORMAT if that is not Z85. */
int curve_public(const char *secret_key, char public_key[CURVE_TEXT]);
/* The raw 32 bytes of a handshake as text. */
void curve_text(const uint8_t raw[32], char out[CURVE_TEXT]);
/* True for 40 characters of Z85. */
bool curve_valid(const char *key);

#endif
