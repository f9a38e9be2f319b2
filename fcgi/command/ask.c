/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi/command/ask.h"

#include <errno.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "fcgi/command/line.h"

enum { ASK_LIMIT = 1024 }; /* bytes of a line */

/* A line of standard input, without its end; byte for byte, so that nothing else has a copy. */
static int ask_line(struct buffer *out, struct error *error)
{
    char byte;
    ssize_t got;

    buffer_clear(out);
    (void)buffer_reserve(out, ASK_LIMIT);
    while ((got = read(STDIN_FILENO, &byte, 1)) > 0 && byte != '\n') {
        if (out->length == ASK_LIMIT) {
            return error_set(error, ERROR_REQUEST_INVALID, "the password is too long");
        }
        buffer_add(out, &byte, 1);
        if (byte == '\003') {
            break;
        }
    }
    if (got < 0) {
        return error_errno(error, "read the password");
    }
    if (out->length == 0) {
        return error_set(error, ERROR_REQUEST_INVALID, "the password is empty");
    }
    for (size_t i = 0; i < out->length; i++) {
        if ((unsigned char)out->data[i] < 0x20 || out->data[i] == 0x7f) {
            return error_set(error, ERROR_REQUEST_INVALID,
                             "a control character in a password: nobody can log in with it");
        }
    }
    return 0;
}

/* Ctrl-C is a character that ends the line, so that the terminal is left as it was. */
static void ask_hide(const struct termios *shown)
{
    struct termios hidden = *shown;

    hidden.c_lflag &= ~(tcflag_t)(ECHO | ISIG);
    hidden.c_cc[VEOL] = '\003';
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
}

static int ask_hidden(const char *prompt, const char *user, struct buffer *out, struct error *error)
{
    line_draw(stderr, "%s %s: ", prompt, user);
    int result = ask_line(out, error);

    line_page(stderr, "\n");
    return result;
}

int ask_password(const char *user, enum ask what, struct buffer *out, struct error *error)
{
    struct buffer again = BUFFER_INIT;
    struct termios shown;
    int result;

    if (tcgetattr(STDIN_FILENO, &shown) < 0) {
        return ask_line(out, error);
    }
    ask_hide(&shown);
    result = ask_hidden("Password of", user, out, error);
    if (result == 0 && what == ASK_NEW) {
        result = ask_hidden("Once more, of", user, &again, error);
    }
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
    if (result == 0 && what == ASK_NEW && strcmp(out->data, again.data) != 0) {
        result = error_set(error, ERROR_REQUEST_INVALID, "the two are not the same");
    }
    buffer_wipe(&again);
    return result;
}
