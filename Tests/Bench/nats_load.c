/* Loads a NATS server and measures: messages per second and the time of each message.
 *
 *   nats_load PORT core|jetstream SIZE PAIRS DEPTH MESSAGES
 *
 * core: PAIRS publishing connections and as many subscribed ones; a publisher has DEPTH messages on their way to its
 * subscriber, and sends the next when one has arrived. The time is that from sending to delivery.
 * jetstream: PAIRS publishing connections, each with DEPTH messages waiting for their acknowledgement; the time is that
 * from sending to the acknowledgement. The stream must exist and take bench.>.
 *
 * Prints one line: messages per second, then p50, p95 and p99 in milliseconds, with commas between. One thread, epoll. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PAIRS_MAX = 1000, DEPTH_MAX = 256, IN_BYTES = 1 << 20 };

typedef struct {
    int socket;
    int pair;
    int is_publisher;
    char *in;
    size_t in_used;
    char *out;
    size_t out_used, out_done, out_size;
    int wants_write;
    uint64_t sent_at[DEPTH_MAX]; /* jetstream: when the messages that wait for an acknowledgement were sent, oldest first */
    unsigned first, waiting;
} connection;

static connection publishers[PAIRS_MAX], subscribers[PAIRS_MAX];
static int pairs, depth, is_jetstream, poller;
static size_t size;
static long wanted, sent, arrived;
static uint32_t *times; /* in units of 100 ns */
static char *payload;

static void fail(const char *what, const char *detail) {
    fprintf(stderr, "nats_load: %s%s%s\n", what, detail ? ": " : "", detail ? detail : "");
    exit(1);
}

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* Writes what it can; the rest waits for the socket. */
static void flush_out(connection *c) {
    while (c->out_done < c->out_used) {
        ssize_t n = send(c->socket, c->out + c->out_done, c->out_used - c->out_done, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN) break;
        if (n < 0) fail("send", strerror(errno));
        c->out_done += (size_t)n;
    }
    int wants = c->out_done < c->out_used;
    if (!wants) c->out_done = c->out_used = 0;
    if (wants == c->wants_write) return;
    c->wants_write = wants;
    struct epoll_event event = {.events = EPOLLIN | (wants ? EPOLLOUT : 0), .data.ptr = c};
    epoll_ctl(poller, EPOLL_CTL_MOD, c->socket, &event);
}

static void append(connection *c, const char *bytes, size_t count) {
    if (c->out_used + count > c->out_size) {
        c->out_size = (c->out_used + count) * 2;
        c->out = realloc(c->out, c->out_size);
        if (!c->out) fail("out of memory", NULL);
    }
    memcpy(c->out + c->out_used, bytes, count);
    c->out_used += count;
}

static void publish(connection *c) {
    if (sent >= wanted) return;
    sent++;
    char head[128];
    int count = is_jetstream
        ? snprintf(head, sizeof head, "PUB bench.%d _INBOX.bench%d.%ld %zu\r\n", c->pair, c->pair, sent, size)
        : snprintf(head, sizeof head, "PUB bench.%d %zu\r\n", c->pair, size);
    uint64_t at = now();
    append(c, head, (size_t)count);
    memcpy(payload, &at, sizeof at);
    append(c, payload, size);
    append(c, "\r\n", 2);
    if (is_jetstream) c->sent_at[(c->first + c->waiting++) % DEPTH_MAX] = at;
}

static void took(uint64_t began) { times[arrived++] = (uint32_t)((now() - began) / 100); }

/* A message for this connection: the next one may be sent. */
static void message(connection *c, const char *body, size_t count) {
    if (is_jetstream) {
        if (!c->waiting) fail("an acknowledgement too many", NULL);
        if (memmem(body, count, "\"error\"", 7)) fail("the stream refused a message", NULL);
        took(c->sent_at[c->first]);
        c->first = (c->first + 1) % DEPTH_MAX;
        c->waiting--;
        publish(c);
    } else {
        if (count != size) fail("a message of another size", NULL);
        uint64_t at;
        memcpy(&at, body, sizeof at);
        took(at);
        publish(&publishers[c->pair]);
    }
}

/* The last number of a line: the bytes that follow it; the one before it in HMSG: those of the header. */
static size_t last_number(const char *line, const char *end, size_t *before) {
    const char *p = end;
    while (p > line && p[-1] != ' ') p--;
    size_t last = strtoul(p, NULL, 10);
    if (before) {
        while (p > line && p[-1] == ' ') p--;
        while (p > line && p[-1] != ' ') p--;
        *before = strtoul(p, NULL, 10);
    }
    return last;
}

/* Takes whole operations off the front of what has come. Returns the number of PONGs among them. */
static int take(connection *c) {
    size_t at = 0;
    int pongs = 0;
    for (;;) {
        char *line = c->in + at, *end = memchr(line, '\n', c->in_used - at);
        if (!end) break;
        size_t next = (size_t)(end + 1 - c->in);
        if (*line == 'M' || *line == 'H') {
            size_t header = 0, total = last_number(line, end, *line == 'H' ? &header : NULL);
            if (next + total + 2 > c->in_used) break;
            message(c, c->in + next + header, total - header);
            next += total + 2;
        } else if (!strncmp(line, "PING", 4)) {
            append(c, "PONG\r\n", 6);
        } else if (!strncmp(line, "PONG", 4)) {
            pongs++;
        } else if (*line == '-') {
            *end = 0;
            fail("the server says", line);
        }
        at = next;
    }
    memmove(c->in, c->in + at, c->in_used - at);
    c->in_used -= at;
    return pongs;
}

static int receive(connection *c) {
    int pongs = 0;
    for (;;) {
        ssize_t n = recv(c->socket, c->in + c->in_used, IN_BYTES - c->in_used, MSG_DONTWAIT);
        if (n == 0) fail("the server has closed a connection", NULL);
        if (n < 0 && errno == EAGAIN) return pongs;
        if (n < 0) fail("recv", strerror(errno));
        int isFull = c->in_used + (size_t)n == IN_BYTES;
        c->in_used += (size_t)n;
        pongs += take(c);
        if (!isFull) return pongs;
    }
}

static void open_connection(connection *c, int port, int pair, int is_publisher) {
    c->pair = pair;
    c->is_publisher = is_publisher;
    c->in = malloc(IN_BYTES);
    c->socket = socket(AF_INET, SOCK_STREAM, 0);
    if (!c->in || c->socket < 0) fail("out of memory or sockets", NULL);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(c->socket, (struct sockaddr *)&address, sizeof address)) fail("connect", strerror(errno));
    int yes = 1;
    setsockopt(c->socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    epoll_ctl(poller, EPOLL_CTL_ADD, c->socket, &event);

    char text[512];
    int count = snprintf(text, sizeof text,
        "CONNECT {\"verbose\":false,\"pedantic\":false,\"headers\":true,\"protocol\":1,\"lang\":\"c\",\"version\":\"0\","
        "\"name\":\"%s%d\"}\r\n", is_publisher ? "publisher" : "subscriber", pair);
    append(c, text, (size_t)count);
    if (is_jetstream) count = snprintf(text, sizeof text, "SUB _INBOX.bench%d.* 1\r\n", pair);
    else count = is_publisher ? 0 : snprintf(text, sizeof text, "SUB bench.%d 1\r\n", pair);
    append(c, text, (size_t)count);
    append(c, "PING\r\n", 6);
}

/* Waits until everybody is subscribed. */
static void wait_for_pongs(int count) {
    struct epoll_event events[64];
    for (int i = 0; i < pairs; i++) {
        flush_out(&publishers[i]);
        if (!is_jetstream) flush_out(&subscribers[i]);
    }
    while (count > 0) {
        int n = epoll_wait(poller, events, 64, 10000);
        if (n <= 0) fail("no answer within 10 s", NULL);
        for (int i = 0; i < n; i++) count -= receive(events[i].data.ptr);
    }
}

static int compare(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static double percentile(double share) { return times[(size_t)((double)(wanted - 1) * share)] / 10000.0; }

int main(int count, char **words) {
    if (count != 7) fail("usage: nats_load PORT core|jetstream SIZE PAIRS DEPTH MESSAGES", NULL);
    is_jetstream = !strcmp(words[2], "jetstream");
    size = strtoul(words[3], NULL, 10);
    pairs = atoi(words[4]);
    depth = atoi(words[5]);
    wanted = atol(words[6]);
    if (size < 8 || size > 1 << 19 || pairs < 1 || pairs > PAIRS_MAX || depth < 1 || depth > DEPTH_MAX || wanted < 1)
        fail("a number is out of range", NULL);
    times = calloc((size_t)wanted, sizeof *times);
    payload = malloc(size);
    if (!times || !payload) fail("out of memory", NULL);
    memset(payload, 'x', size);
    poller = epoll_create1(0);

    for (int i = 0; i < pairs; i++) {
        if (!is_jetstream) open_connection(&subscribers[i], atoi(words[1]), i, 0);
        open_connection(&publishers[i], atoi(words[1]), i, 1);
    }
    wait_for_pongs(is_jetstream ? pairs : 2 * pairs);

    uint64_t began = now();
    for (int i = 0; i < pairs; i++) {
        for (int n = 0; n < depth; n++) publish(&publishers[i]);
        flush_out(&publishers[i]);
    }
    struct epoll_event events[256];
    while (arrived < wanted) {
        int n = epoll_wait(poller, events, 256, 10000);
        if (n <= 0) fail("no message within 10 s", NULL);
        for (int i = 0; i < n; i++) {
            connection *c = events[i].data.ptr;
            if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) receive(c);
            flush_out(c);
            if (!is_jetstream) flush_out(&publishers[c->pair]);
        }
    }
    double seconds = (double)(now() - began) / 1e9;
    qsort(times, (size_t)wanted, sizeof *times, compare);
    printf("%.1f,%.4f,%.4f,%.4f\n", (double)wanted / seconds, percentile(0.5), percentile(0.95), percentile(0.99));
    return 0;
}
