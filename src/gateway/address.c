/* SPDX-License-Identifier: Apache-2.0
 *
 * Addresses: configuration to kernel, kernel to text.
 */
#include "gateway/address_internal.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

static void set_in4(struct address *address, struct in_addr ip, unsigned port)
{
    struct sockaddr_in in = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = ip};
    memcpy(&address->socket, &in, sizeof in);
    address->len = sizeof in;
}

static void set_in6(struct address *address, struct in6_addr ip, unsigned port)
{
    struct sockaddr_in6 in = {
        .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port), .sin6_addr = ip};
    memcpy(&address->socket, &in, sizeof in);
    address->len = sizeof in;
}

static bool set_unix(struct address *address, const char *path)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof un.sun_path) {
        return false;
    }
    (void)snprintf(un.sun_path, sizeof un.sun_path, "%s", path);
    memcpy(&address->socket, &un, sizeof un);
    address->len = sizeof un;
    return true;
}

static bool set_host(struct address *address, const char *host, unsigned port)
{
    struct in_addr ip4;
    struct in6_addr ip6;
    if (host[0] == '\0' || strcmp(host, "*") == 0) {
        set_in6(address, in6addr_any, port);
    } else if (inet_pton(AF_INET, host, &ip4) == 1) {
        set_in4(address, ip4, port);
    } else if (inet_pton(AF_INET6, host, &ip6) == 1) {
        set_in6(address, ip6, port);
    } else {
        return false;
    }
    return true;
}

bool address_literal(const struct config_address *written, struct address *ret_address)
{
    struct address address = {.len = 0};
    switch (written->kind) {
    case CONFIG_ADDRESS_UNIX:
        if (!set_unix(&address, written->path)) {
            return false;
        }
        break;
    case CONFIG_ADDRESS_TCP:
        if (!set_host(&address, written->host, written->port)) {
            return false;
        }
        break;
    case CONFIG_ADDRESS_NONE:
    case CONFIG_ADDRESS_SYSTEMD:
    case CONFIG_ADDRESS_FD:
    default:
        return false;
    }
    *ret_address = address;
    return true;
}

bool address_is_local(const struct sockaddr_storage *socket)
{
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    switch (socket->ss_family) {
    case AF_UNIX:
        return true;
    case AF_INET:
        memcpy(&in, socket, sizeof in);
        return (ntohl(in.sin_addr.s_addr) >> 24) == 127;
    case AF_INET6:
        memcpy(&in6, socket, sizeof in6);
        return IN6_IS_ADDR_LOOPBACK(&in6.sin6_addr) ||
               (IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr) && in6.sin6_addr.s6_addr[12] == 127);
    default:
        return false;
    }
}

const char *address_format(const struct sockaddr_storage *socket, char text[ADDRESS_TEXT])
{
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    struct sockaddr_un un;
    char ip[INET6_ADDRSTRLEN] = "?";
    switch (socket->ss_family) {
    case AF_INET:
        memcpy(&in, socket, sizeof in);
        (void)inet_ntop(AF_INET, &in.sin_addr, ip, sizeof ip);
        (void)snprintf(text, ADDRESS_TEXT, "%s:%u", ip, ntohs(in.sin_port));
        break;
    case AF_INET6:
        memcpy(&in6, socket, sizeof in6);
        if (IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr)) {
            (void)inet_ntop(AF_INET, in6.sin6_addr.s6_addr + 12, ip, sizeof ip);
            (void)snprintf(text, ADDRESS_TEXT, "%s:%u", ip, ntohs(in6.sin6_port));
            break;
        }
        (void)inet_ntop(AF_INET6, &in6.sin6_addr, ip, sizeof ip);
        (void)snprintf(text, ADDRESS_TEXT, "[%s]:%u", ip, ntohs(in6.sin6_port));
        break;
    case AF_UNIX:
        memcpy(&un, socket, sizeof un);
        (void)snprintf(text, ADDRESS_TEXT, "unix%s%.107s", un.sun_path[0] == '\0' ? "" : ":",
                       un.sun_path);
        break;
    default:
        (void)snprintf(text, ADDRESS_TEXT, "?");
        break;
    }
    return text;
}
