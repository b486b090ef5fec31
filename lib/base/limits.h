/* SPDX-License-Identifier: Apache-2.0
 *
 * Every limit on something that another party can make grow, with its reason.
 */
#ifndef MU_BASE_LIMITS_H
#define MU_BASE_LIMITS_H

/* Files that people write. */
#define MU_LIMIT_CONFIG_BYTES   (4u << 20)   /* a hundred thousand grants fit                     */
#define MU_LIMIT_CONFIG_DEPTH   16u          /* the schema is six deep                            */
#define MU_LIMIT_PEM_BYTES      (16u << 20)  /* a bundle of all public roots is 0.3 MiB           */
#define MU_LIMIT_KEY_BYTES      (64u << 10)  /* an RSA-4096 PKCS#8 is 3.2 KiB                     */
#define MU_LIMIT_CRL_BYTES      (256u << 20) /* a million entries take about 40 MiB              */
#define MU_LIMIT_FETCH_BYTES    (64u << 20)  /* ... which may come from whoever answers          */
#define MU_LIMIT_BUNDLE_CERTS   10000u
#define MU_LIMIT_GRANTS         1000000u /* ten times the largest policy we were told of     */
#define MU_LIMIT_GRANT_PATTERNS 10000u   /* identities that one grant may name               */
#define MU_LIMIT_POLICY_BYTES   ((size_t)1 << 30) /* a million grants of a thousand bytes        */
#define MU_LIMIT_DENY_BYTES     (64u << 20)       /* a quarter of a million entries of 256 bytes  */
#define MU_LIMIT_DENY_ENTRIES   250000u /* by hand or by a tool; a longer list is an issuer's    */
#define MU_LIMIT_DENY_LINE      8192u   /* a SPIFFE ID, an issuer, an owner and a reason         */

/* What a peer may send before it is known. */
#define MU_LIMIT_HELLO_BYTES     16384u  /* one record; hybrid key shares take about 1.5 KiB      */
#define MU_LIMIT_CERT_MESSAGE    65536u  /* the whole Certificate message                         */
#define MU_LIMIT_CERT_BYTES      32768u  /* one certificate                                       */
#define MU_LIMIT_CHAIN_SENT      40u     /* certificates looked at in a message                   */
#define MU_LIMIT_CHAIN_DEPTH     8u      /* certificates in a path, leaf and anchor included      */
#define MU_LIMIT_CERT_NAMES      128u    /* subject alternative names per certificate             */
#define MU_LIMIT_CERT_EXTENSIONS 64u     /* extensions per certificate, request or list           */
#define MU_LIMIT_CRL_POINTS      32u     /* distribution points, and names of one                 */
#define MU_LIMIT_OCSP_BYTES      32768u  /* one response; with a delegate's RSA-4096 chain 5 KiB  */
#define MU_LIMIT_OCSP_ANSWERS    64u     /* certificates that a response or request is about      */
#define MU_LIMIT_OCSP_CERTS      4u      /* certificates in a response that may be its signer's   */
#define MU_LIMIT_OCSP_NONCE      128u    /* octets, RFC 9654 section 2.1                          */
#define MU_LIMIT_CERT_SUBTREES   1024u   /* name constraints per certificate, of either sort      */
#define MU_LIMIT_CONSTRAINTS     131072u /* names compared with constraints, long ones count more */
#define MU_LIMIT_PATH_SIGNATURES 32u     /* signatures verified while one path is built           */
#define MU_LIMIT_PATH_VERIFY_US  6000u   /* what those may cost; P-384 takes most of a ms each    */
#define MU_LIMIT_PATH_STEPS      2048u   /* certificates tried as an issuer while a path is built */
#define MU_LIMIT_RSA_BITS        8192u   /* a verification costs with the square                  */
#define MU_LIMIT_NAME_BYTES      2048u  /* a SPIFFE ID's own limit, the longest of our names      */
#define MU_LIMIT_KNOWN_LINKS     64u    /* signatures of authorities on authorities, in a worker  */
#define MU_LIMIT_SHARED_SESSIONS 16384u /* that workers share, 2 KiB each: 32 MiB when full */
#define MU_LIMIT_KEPT_CERTS      4u     /* certificates kept with a session to resume             */
#define MU_LIMIT_KEPT_BYTES      8192u  /* ... and their size; three of RSA-4096 take 5 KiB       */
#define MU_LIMIT_CA_NAMES_BYTES  16384u /* CA names sent in a CertificateRequest                 */
#define MU_LIMIT_QUIET_MESSAGES  32u    /* key updates, tickets, empty records; and one more ...  */
#define MU_LIMIT_QUIET_PER_BYTES 16384u /* ... for so much data: each costs 20 us for 27 bytes */

/* HTTP/1.1 messages. */
#define MU_LIMIT_HTTP_LINE             8192u /* RFC 9112 section 3 recommends 8000             */
#define MU_LIMIT_HTTP_HEAD             32768u
#define MU_LIMIT_HTTP_FIELDS           100u
#define MU_LIMIT_HTTP_METHOD           32u
#define MU_LIMIT_HTTP_URL              2048u /* as in certificates                             */
#define MU_LIMIT_HTTP_VALIDATOR        256u  /* an ETag or a date that we give back            */
#define MU_LIMIT_HTTP_CHUNK_EXTENSIONS 1024u /* of a whole body; nobody uses them              */
#define MU_LIMIT_HTTP_REQUESTS         1000u /* of one connection                              */
#define MU_LIMIT_HTTP_RESPONSE         (64u << 20) /* a list with a million entries fits       */
#define MU_LIMIT_HTTP_FRESH_S          (30u * 86400u)

/* Requests to the authority. */
#define MU_LIMIT_API_BODY   65536u /* a request of RSA-4096 with 128 names takes 30 KiB in base64 */
#define MU_LIMIT_ACME_NAMES 100u   /* identifiers of an order                                 */

/* Between processes. */
#define MU_LIMIT_MESSAGE_BYTES (128u << 10) /* TLS 1.2 client authentication signs a transcript */
#define MU_LIMIT_MESSAGE_FDS   64u

#endif
