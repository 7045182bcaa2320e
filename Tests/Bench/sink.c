// An OTLP receiver that keeps nothing: it answers every POST with 200 and an empty body (a valid, empty
// ExportTraceServiceResponse) and counts what came in. It stands in for a collector in benchmarks, so it has to cost as
// little as possible: one thread, epoll, bodies skipped without being looked at.
//
//   sink PORT      listens on 127.0.0.1:PORT; GET (any path) answers "requests N\nbytes N\n"
//
// Speaks the part of HTTP/1.1 that exporters use: keep-alive, pipelining, Content-Length. Anything else gets 400 and a
// closed connection, so that a client it does not understand shows up as failed exports instead of good numbers.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HEADER_LIMIT = 16 * 1024, MAX_CONNECTIONS = 1024, MAX_BODY = 64 * 1024 * 1024 };

struct connection {
    size_t header_length;    // bytes of an unfinished request head, held in `header`
    size_t body_remaining;   // bytes of the current body still to come
    char header[HEADER_LIMIT + 1];
};

static struct connection *connections[MAX_CONNECTIONS];
static unsigned long long request_count, body_bytes;

// Answers are a few bytes to a peer that waits for them, so a short write means the peer is gone.
static bool send_all(int fd, const char *text, size_t length) {
    return send(fd, text, length, MSG_NOSIGNAL) == (ssize_t)length;
}

static bool respond(int fd, const char *status, const char *body) {
    char response[256];
    static const char format[] =
        "HTTP/1.1 %s\r\nContent-Type: application/x-protobuf\r\nContent-Length: %zu\r\n\r\n%s";
    int length = snprintf(response, sizeof response, format, status, strlen(body), body);
    return send_all(fd, response, (size_t)length);
}

// The value of Content-Length in a complete, zero-terminated request head; -1 when there is none or it is no number
// this program accepts.
static long content_length(const char *head) {
    static const char name[] = "\r\ncontent-length:";
    const char *line = strcasestr(head, name);
    if (line == NULL) return -1;
    char *end;
    errno = 0;
    long value = strtol(line + sizeof name - 1, &end, 10);
    return errno == 0 && *end == '\r' && value >= 0 && value <= MAX_BODY ? value : -1;
}

// Handles one complete request head. False: the connection is to be closed.
static bool handle_head(int fd, struct connection *connection) {
    char *head = connection->header;
    if (strncmp(head, "GET ", 4) == 0) {
        char body[96];
        snprintf(body, sizeof body, "requests %llu\nbytes %llu\n", request_count, body_bytes);
        return respond(fd, "200 OK", body);
    }
    long length = strncmp(head, "POST ", 5) == 0 ? content_length(head) : -1;
    if (length < 0) {
        respond(fd, "400 Bad Request", "");
        return false;
    }
    request_count += 1;
    body_bytes += (unsigned long long)length;
    connection->body_remaining = (size_t)length;
    return length > 0 || respond(fd, "200 OK", "");
}

// Feeds received bytes through head and body states. False: the connection is to be closed.
static bool consume(int fd, struct connection *connection, const char *bytes, size_t count) {
    while (count > 0) {
        if (connection->body_remaining > 0) {
            size_t skipped = count < connection->body_remaining ? count : connection->body_remaining;
            connection->body_remaining -= skipped;
            bytes += skipped;
            count -= skipped;
            if (connection->body_remaining == 0 && !respond(fd, "200 OK", "")) return false;
            continue;
        }
        size_t space = HEADER_LIMIT - connection->header_length;
        if (space == 0) return false;
        size_t taken = count < space ? count : space;
        memcpy(connection->header + connection->header_length, bytes, taken);
        size_t held = connection->header_length + taken;
        connection->header[held] = '\0';
        char *end = strstr(connection->header, "\r\n\r\n");
        if (end == NULL) {
            connection->header_length = held;
            bytes += taken;
            count -= taken;
            continue;
        }
        size_t head_length = (size_t)(end + 4 - connection->header);
        size_t used = head_length - connection->header_length;
        end[2] = '\0';
        connection->header_length = 0;
        bytes += used;
        count -= used;
        if (!handle_head(fd, connection)) return false;
    }
    return true;
}

static void accept_connection(int listener, int epoll) {
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0) return;
    if (fd >= MAX_CONNECTIONS) {
        close(fd);
        return;
    }
    if (connections[fd] == NULL) connections[fd] = calloc(1, sizeof(struct connection));
    if (connections[fd] == NULL) abort();
    connections[fd]->header_length = connections[fd]->body_remaining = 0;
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) close(fd);
}

static int listen_on(int port) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 64) != 0) {
        perror("sink: listen");
        exit(1);
    }
    return fd;
}

int main(int argc, char **argv) {
    int port = argc == 2 ? atoi(argv[1]) : 0;
    if (port < 1 || port > 65535) {
        fprintf(stderr, "usage: sink PORT\n");
        return 2;
    }
    int listener = listen_on(port), epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener};
    if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event) != 0) {
        perror("sink: epoll");
        return 1;
    }
    static char buffer[256 * 1024];
    for (;;) {
        struct epoll_event ready[64];
        int count = epoll_wait(epoll, ready, 64, -1);
        for (int index = 0; index < count; index += 1) {
            int fd = ready[index].data.fd;
            if (fd == listener) {
                accept_connection(listener, epoll);
                continue;
            }
            ssize_t received = read(fd, buffer, sizeof buffer);
            if (received <= 0 || !consume(fd, connections[fd], buffer, (size_t)received)) close(fd);
        }
    }
}
