/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of profiles: what each kind of certificate is for and may be.
 */
#include "ca/ca_internal.h"

#include <string.h>

#define DAY_S   INT64_C(86400)
#define NAME(t) (1u << MUTUAL_NAME_##t)

/* One purpose each: a stolen client certificate does not make a server. `service` is for those that
 * are both, as SPIFFE X.509-SVIDs are (section 4.4 of that standard). Keys only sign: forward
 * secrecy needs no more, and RFC 8446 asks for digitalSignature. (For NSS, servers' RSA keys get
 * keyEncipherment on top when they are issued.) */
static const struct ca_profile profiles[] = {
    {"server", "proves a server to its clients", "", MU_SPEC_EC_P256, 90 * DAY_S, 398 * DAY_S,
     MU_KU_DIGITAL_SIGNATURE, MU_EKU_SERVER, NAME(SPIFFE) | NAME(DNS) | NAME(IP),
     NAME(SPIFFE) | NAME(DNS)},
    {"client", "proves a program to the servers it calls", "", MU_SPEC_EC_P256, 90 * DAY_S,
     398 * DAY_S, MU_KU_DIGITAL_SIGNATURE, MU_EKU_CLIENT, NAME(SPIFFE) | NAME(DNS), NAME(SPIFFE)},
    {"service", "proves a program both as a server and as a client", "", MU_SPEC_EC_P256,
     90 * DAY_S, 398 * DAY_S, MU_KU_DIGITAL_SIGNATURE, MU_EKU_SERVER | MU_EKU_CLIENT,
     NAME(SPIFFE) | NAME(DNS) | NAME(IP), NAME(SPIFFE) | NAME(DNS)},
    {"device", "proves a device to the servers it calls", "device/", MU_SPEC_EC_P256, 365 * DAY_S,
     825 * DAY_S, MU_KU_DIGITAL_SIGNATURE, MU_EKU_CLIENT, NAME(SPIFFE) | NAME(DNS), NAME(SPIFFE)},
    {"user", "proves a person to the servers they use", "user/", MU_SPEC_EC_P256, 365 * DAY_S,
     825 * DAY_S, MU_KU_DIGITAL_SIGNATURE, MU_EKU_CLIENT, NAME(SPIFFE) | NAME(EMAIL),
     NAME(SPIFFE) | NAME(EMAIL)},
};

const struct ca_profile *ca_profile_at(size_t index)
{
    return index < MU_COUNT(profiles) ? &profiles[index] : NULL;
}

bool ca_profile_find(const char *name, const struct ca_profile **ret_profile,
                     struct mutual_error *err)
{
    const char *words[MU_COUNT(profiles) + 1] = {NULL};
    for (size_t i = 0; i < MU_COUNT(profiles); i++) {
        if (strcmp(profiles[i].name, name) == 0) {
            *ret_profile = &profiles[i];
            return true;
        }
        words[i] = profiles[i].name;
    }
    (void)mu_fail(err, MUTUAL_E_OPTION_VALUE, "there is no profile \"%s\"", name);
    const char *near = mu_suggest(name, words);
    return near != NULL
               ? mu_error_hint(err, "Did you mean \"%s\"?", near)
               : mu_error_hint(err, "Profiles are: server, client, service, device, user.");
}

int64_t ca_profile_life_max_s(void)
{
    int64_t max = 0;
    for (size_t i = 0; i < MU_COUNT(profiles); i++) {
        max = profiles[i].life_max_s > max ? profiles[i].life_max_s : max;
    }
    return max;
}
