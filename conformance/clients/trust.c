/* Loaded into Dino before GnuTLS: what the system trusts is what SSL_CERT_FILE holds, and that is
 * all. GLib asks GnuTLS for the trust of the system, which knows one fixed path. */
#include <stdlib.h>

struct list;

int gnutls_x509_trust_list_add_trust_file(
    struct list *, const char *, const char *, unsigned, unsigned, unsigned);

int gnutls_x509_trust_list_add_system_trust(struct list *list, unsigned flags, unsigned verifying)
{
    enum { PEM = 1 };
    const char *file = getenv("SSL_CERT_FILE");
    return gnutls_x509_trust_list_add_trust_file(list, file, NULL, PEM, flags, verifying);
}
