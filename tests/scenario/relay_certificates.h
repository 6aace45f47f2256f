/* Certificates for the HTTPS servers of relay_kit.h. */
#ifndef PEP_TESTS_RELAY_CERTIFICATES_H
#define PEP_TESTS_RELAY_CERTIFICATES_H

/* Writes FOLDER/ca.pem, and certificates with their keys: good.pem, expired.pem, stranger.pem (of an
 * authority that nobody trusts) and othername.pem. Ends the program on failure. */
void relay_certificates(const char *folder);

#endif
