/* SPDX-License-Identifier: Apache-2.0
 *
 * The program's entry. What it is about is decided in the frame.
 */
#include "cli/cli.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "process/process.h"
#include "x509/x509.h"

/* A descriptor 0 to 2 that came closed would be taken by the next file opened, and messages would
 * be written into it. */
static bool open_standard_streams(void)
{
    int fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO) {
        fd = dup(fd);
    }
    return fd != -1 && close(fd) == 0;
}

int main(int argc, char **argv)
{
    /* A reader that goes away is an error of the write, not the end of the process. */
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    if (!open_standard_streams() || sigaction(SIGPIPE, &ignore, NULL) == -1) {
        return 71; /* EX_OSERR; there is nowhere to say why */
    }
    int status = process_child_main(cli_roles, argc, argv);
    if (status >= 0) {
        _exit(status); /* a child has no exit handlers of ours to run */
    }
    /* No file and no variable of the machine's chooses our cryptography: OPENSSL_CONF could name
     * providers to load, and older protocols to speak. */
    struct mutual_error err = {0};
    if (!mu_ossl_start(&err)) {
        (void)fprintf(stderr, "mutual: error: %s\n", err.reason);
        return mutual_code_exit(err.code);
    }
    return cli_main(argc, (const char *const *)argv, stdout, stderr);
}
