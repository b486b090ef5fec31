/* SPDX-License-Identifier: Apache-2.0
 *
 * From addresses as the configuration writes them to addresses as the kernel takes them, and to
 * text. Nothing here asks the network: a host name stays a name until the resolver answered.
 */
#ifndef GATEWAY_ADDRESS_INTERNAL_H
#define GATEWAY_ADDRESS_INTERNAL_H

#include <sys/socket.h>

#include "base/base.h"
#include "config/config.h"

struct address {
    struct sockaddr_storage socket;
    socklen_t len;
};

/* True when the written address is an IP address or a UNIX path and *ret_address holds it; false
 * when it is a host name, which must be resolved first, or an inherited socket. "*" and an empty
 * host stand for every address of the machine. */
bool address_literal(const struct config_address *written, struct address *ret_address);

/* True when only this machine can reach what is bound there: loopback and UNIX sockets. */
bool address_is_local(const struct sockaddr_storage *socket);

/* "192.0.2.7:443", "[2001:db8::1]:443", "unix:/run/x.sock", "unix" for an unnamed one. Returns
 * text. */
#define ADDRESS_TEXT 128
const char *address_format(const struct sockaddr_storage *socket, char text[ADDRESS_TEXT]);

#endif
