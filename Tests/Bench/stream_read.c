/* Reads a Redis stream from its beginning and measures: entries per second.
 *
 *   stream_read PORT STREAM COUNT ENTRIES
 *
 * Sends XRANGE STREAM (LAST + COUNT n, one at a time, until there is nothing more or ENTRIES have come. The replies are
 * looked through only as far as needed to count entries and to find the last id. Prints one line: entries, seconds,
 * bytes, with commas between. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static char *buffer;
static size_t used, size, at;
static int server;
static long long bytes;

static void fail(const char *what, const char *detail) {
    fprintf(stderr, "stream_read: %s%s%s\n", what, detail ? ": " : "", detail ? detail : "");
    exit(1);
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* Makes so many bytes from `at` on be there. What lies before `at` is forgotten. */
static void need(size_t count) {
    if (used - at >= count) return;
    memmove(buffer, buffer + at, used - at);
    used -= at;
    at = 0;
    if (count > size) {
        size = count * 2;
        buffer = realloc(buffer, size);
        if (!buffer) fail("out of memory", NULL);
    }
    while (used < count) {
        ssize_t n = recv(server, buffer + used, size - used, 0);
        if (n <= 0) fail("recv", n ? strerror(errno) : "the server has closed the connection");
        used += (size_t)n;
        bytes += n;
    }
}

/* The number of a header line of this type; the next byte is the one behind it. */
static long header(char type) {
    size_t looked = 1;
    for (;;) {
        need(looked + 1);
        char *end = memchr(buffer + at + looked, '\n', used - at - looked);
        if (end) {
            if (buffer[at] != type) {
                *end = 0;
                fail("the server says", buffer + at);
            }
            long value = strtol(buffer + at + 1, NULL, 10);
            at = (size_t)(end - buffer) + 1;
            return value;
        }
        looked = used - at;
    }
}

static void skip_bulk(void) {
    size_t length = (size_t)header('$') + 2;
    need(length);
    at += length;
}

int main(int count, char **words) {
    if (count != 5) fail("usage: stream_read PORT STREAM COUNT ENTRIES", NULL);
    long wanted = atol(words[4]), read = 0;
    size = 1 << 20;
    buffer = malloc(size);
    server = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(words[1]))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (!buffer || server < 0 || connect(server, (struct sockaddr *)&address, sizeof address))
        fail("connect", strerror(errno));
    char last[64] = "-";
    double began = now();
    while (read < wanted) {
        char request[512];
        int length = snprintf(request, sizeof request,
            "*6\r\n$6\r\nXRANGE\r\n$%zu\r\n%s\r\n$%zu\r\n%s\r\n$1\r\n+\r\n$5\r\nCOUNT\r\n$%zu\r\n%s\r\n",
            strlen(words[2]), words[2], strlen(last), last, strlen(words[3]), words[3]);
        if (send(server, request, (size_t)length, MSG_NOSIGNAL) != length) fail("send", strerror(errno));
        long entries = header('*');
        if (entries <= 0) break;
        for (long i = 0; i < entries; i++) {
            header('*');
            size_t id = (size_t)header('$');
            if (id > sizeof last - 2) fail("an id of such a length", NULL);
            need(id + 2);
            last[0] = '(';
            memcpy(last + 1, buffer + at, id);
            last[id + 1] = 0;
            at += id + 2;
            for (long fields = header('*'); fields > 0; fields--) skip_bulk();
        }
        read += entries;
    }
    printf("%ld,%.6f,%lld\n", read, now() - began, bytes);
    return 0;
}
