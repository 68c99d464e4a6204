// Plays a list of calls on the files of its directory, one after the other, and prints what each answered.
// With a gate, it waits for a byte of its input before each call, and tells its errors when it has made it.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int gated;

static void before(void) {
    char byte;
    if (gated && read(0, &byte, 1) != 1) _exit(99);
}

static void after(int waits) {
    if (gated && write(2, waits ? "w" : "d", 1) != 1) _exit(99);
}

static void tell(const char *call, long answer) {
    char line[64];
    int length = snprintf(line, sizeof line, "%s %ld\n", call, answer < 0 ? (long)-errno : answer);
    if (write(1, line, length) != length) _exit(98);
}

int main(int count, char **words) {
    int open_file = -1;
    gated = getenv("GATE") != NULL;
    for (int at = 1; at < count; at++) {
        char *call = strtok(words[at], " "), *first = strtok(NULL, " "), *second = strtok(NULL, " ");
        long answer = 0;
        char bytes[32];
        // Once more as long as it waits.
        for (;;) {
            before();
            errno = 0;
            if (!strcmp(call, "create")) {
                answer = open(first, O_CREAT | O_EXCL | O_WRONLY, 0600);
            } else if (!strcmp(call, "open")) {
                answer = open(first, O_RDWR);
            } else if (!strcmp(call, "truncate")) {
                answer = open(first, O_CREAT | O_TRUNC | O_RDWR, 0644);
            } else if (!strcmp(call, "read")) {
                answer = read(open_file, bytes, sizeof bytes);
            } else if (!strcmp(call, "write")) {
                answer = write(open_file, first, strlen(first));
            } else if (!strcmp(call, "unlink")) {
                answer = unlink(first);
            } else if (!strcmp(call, "mkdir")) {
                answer = mkdir(first, 0700);
            } else if (!strcmp(call, "rmdir")) {
                answer = rmdir(first);
            } else if (!strcmp(call, "rename")) {
                answer = rename(first, second);
            } else if (!strcmp(call, "link")) {
                answer = link(first, second);
            } else if (!strcmp(call, "symlink")) {
                answer = symlink(first, second);
            } else if (!strcmp(call, "stat")) {
                struct stat status;
                answer = stat(first, &status);
                if (answer == 0) answer = status.st_mode;
            } else if (!strcmp(call, "age")) {
                // Two calls, between which time may pass.
                struct stat status;
                answer = stat(first, &status);
                if (answer == 0) answer = 1000 + time(NULL) - status.st_mtime;
            } else if (!strcmp(call, "touch")) {
                answer = utimensat(AT_FDCWD, first, NULL, 0);
            } else if (!strcmp(call, "sleep")) {
                answer = sleep(atoi(first));
            } else if (!strcmp(call, "lock")) {
                answer = flock(open_file, LOCK_EX | (gated ? LOCK_NB : 0));
                if (gated && answer < 0 && errno == EWOULDBLOCK) {
                    after(1);
                    continue;
                }
            } else {
                return 97;
            }
            break;
        }
        int is_open = !strcmp(call, "create") || !strcmp(call, "open") || !strcmp(call, "truncate");
        if (is_open && answer >= 0) {
            // The one before stays open: to close it would be a step.
            open_file = answer;
            answer = 0;
        }
        tell(call, answer);
        if (!strcmp(call, "read") && answer > 0 && write(1, bytes, answer) != answer) return 98;
        after(0);
    }
    return 0;
}
