/* Posts CloudEvents to a server and measures: events per second and the time of each.
 *
 *   http_load PORT PATH SIZE CONNECTIONS EVENTS
 *
 * Binary mode of the CloudEvents HTTP binding, HTTP/1.1, connections kept open, one event at a time on each; an event's
 * time is that from sending to the end of its answer. Prints one line: events per second, then p50, p95 and p99 in
 * milliseconds, with commas between. One thread, epoll. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 1000, SIZE_MAX_BYTES = 1 << 19, IN_BYTES = 1 << 16 };

typedef struct {
    int socket;
    uint64_t sent_at;
    size_t in_used;
    char in[IN_BYTES];
} connection;

static long wanted, sent, answered;
static uint32_t *times; /* in units of 100 ns */
static char *request, *payload;
static const char *path;
static size_t size;

static void fail(const char *what, const char *detail) {
    fprintf(stderr, "http_load: %s%s%s\n", what, detail ? ": " : "", detail ? detail : "");
    exit(1);
}

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* Sends the next event. A request is small beside the socket's buffer, which is empty: it goes out in one piece. */
static void post(connection *c) {
    if (sent >= wanted) return;
    sent++;
    int head = sprintf(request,
        "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/octet-stream\r\nContent-Length: %zu\r\n"
        "ce-specversion: 1.0\r\nce-type: bench.event\r\nce-source: /bench\r\nce-id: %d-%ld\r\n\r\n",
        path, size, (int)getpid(), sent);
    memcpy(request + head, payload, size);
    c->sent_at = now();
    ssize_t count = send(c->socket, request, (size_t)head + size, MSG_NOSIGNAL);
    if (count != (ssize_t)((size_t)head + size)) fail("send", count < 0 ? strerror(errno) : "the socket is full");
}

/* Whether a whole answer has come; a refusal ends the measurement. */
static int is_answered(connection *c) {
    char *end = memmem(c->in, c->in_used, "\r\n\r\n", 4);
    if (!end) return 0;
    c->in[c->in_used] = 0;
    if (strncmp(c->in, "HTTP/1.1 2", 10)) fail("the server says", c->in);
    size_t body = 0;
    char *length = strcasestr(c->in, "\r\ncontent-length:");
    if (length && length < end) body = strtoul(length + 17, NULL, 10);
    return c->in_used >= (size_t)(end - c->in) + 4 + body;
}

static void receive(connection *c) {
    ssize_t count = recv(c->socket, c->in + c->in_used, IN_BYTES - 1 - c->in_used, MSG_DONTWAIT);
    if (count == 0) fail("the server has closed a connection", NULL);
    if (count < 0 && errno == EAGAIN) return;
    if (count < 0) fail("recv", strerror(errno));
    c->in_used += (size_t)count;
    if (!is_answered(c)) return;
    times[answered++] = (uint32_t)((now() - c->sent_at) / 100);
    c->in_used = 0;
    post(c);
}

static int compare(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static double percentile(double share) { return times[(size_t)((double)(wanted - 1) * share)] / 10000.0; }

int main(int count, char **words) {
    if (count != 6) fail("usage: http_load PORT PATH SIZE CONNECTIONS EVENTS", NULL);
    path = words[2];
    size = strtoul(words[3], NULL, 10);
    int connections = atoi(words[4]);
    wanted = atol(words[5]);
    if (size > SIZE_MAX_BYTES || connections < 1 || connections > CONNECTIONS_MAX || wanted < 1 || strlen(path) > 1024)
        fail("a number is out of range", NULL);
    connection *all = calloc((size_t)connections, sizeof *all);
    times = calloc((size_t)wanted, sizeof *times);
    payload = malloc(size + 1);
    request = malloc(size + 2048);
    if (!all || !times || !payload || !request) fail("out of memory", NULL);
    memset(payload, 'x', size);
    int poller = epoll_create1(0);
    for (int i = 0; i < connections; i++) {
        connection *c = &all[i];
        c->socket = socket(AF_INET, SOCK_STREAM, 0);
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(words[1]))};
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (c->socket < 0 || connect(c->socket, (struct sockaddr *)&address, sizeof address))
            fail("connect", strerror(errno));
        int yes = 1;
        setsockopt(c->socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
        epoll_ctl(poller, EPOLL_CTL_ADD, c->socket, &event);
    }
    uint64_t began = now();
    for (int i = 0; i < connections; i++) post(&all[i]);
    struct epoll_event events[256];
    while (answered < wanted) {
        int n = epoll_wait(poller, events, 256, 10000);
        if (n <= 0) fail("no answer within 10 s", NULL);
        for (int i = 0; i < n; i++) receive(events[i].data.ptr);
    }
    double seconds = (double)(now() - began) / 1e9;
    qsort(times, (size_t)wanted, sizeof *times, compare);
    printf("%.1f,%.4f,%.4f,%.4f\n", (double)wanted / seconds, percentile(0.5), percentile(0.95), percentile(0.99));
    return 0;
}
