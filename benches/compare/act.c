/* act FILE MS: appends "S <monotonic ns>", lives for MS, appends "E <monotonic ns>" and crashes.
   It is static C, so that as little as possible lies between its launch and its first act. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static void note(int file, char what) {
    struct timespec now;
    char line[40];
    clock_gettime(CLOCK_MONOTONIC, &now);
    int length = snprintf(line, sizeof line, "%c %lld\n", what,
                          now.tv_sec * 1000000000LL + now.tv_nsec);
    if (write(file, line, length) != length)
        _exit(2);
}

int main(int count, char **words) {
    int file = open(words[1], O_WRONLY | O_CREAT | O_APPEND, 0644);
    note(file, 'S');
    if (count > 2)
        usleep(atoi(words[2]) * 1000);
    note(file, 'E');
    _exit(1);
}
