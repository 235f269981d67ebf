/* The yardstick: the least that a fan-out of one channel can cost.
 *
 *     fanout UPSTREAM_PORT PATH MS     prints its own port, serves until it is killed
 *
 * Reads one upstream, publishes every MS milliseconds what has gathered (at 256 KiB: at once), as
 * the proxy's hub does, and sends each chunk to every viewer. It looks at no request and at no
 * packet. The time that it spends sending is part of the MS, so that a chunk is MS of media.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    BURST_TICK_US = 1000,   /* kptv.restream.gathering.BURST_TICK */
    CHUNK_SIZE = 256 << 10, /* PUBLISH_AT */
    CHUNKS = 32,            /* kept for viewers that are behind */
    UNSENT_LIMIT = 128 << 10, /* as in kptv.web.players */
    EVENTS = 512,
};

struct chunk {
    char *data;
    size_t size;
};

struct viewer {
    int fd;
    int playing; /* its request has come */
    int blocked; /* waits for EPOLLOUT */
    size_t next; /* the chunk that it gets now, and how much of it has been sent */
    size_t offset;
    struct viewer *before, *after;
};

static struct chunk ring[CHUNKS];
static size_t end; /* number of the next chunk */
static struct viewer all = {.before = &all, .after = &all};
static int poller, tick_us;

static void die(const char *what) {
    perror(what);
    exit(1);
}

static long long now_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

static struct sockaddr_in loopback(int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

static int open_upstream(int port, const char *path) {
    struct sockaddr_in address = loopback(port);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address))
        die("connect");
    dprintf(fd, "GET %s HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n", path);
    for (int matched = 0; matched < 4;) { /* byte by byte: media follows the headers */
        char c;
        if (read(fd, &c, 1) != 1)
            die("upstream");
        matched = c == "\r\n\r\n"[matched] ? matched + 1 : c == '\r';
    }
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

static int listen_anywhere(void) {
    struct sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* connections that it accepts inherit it */
    if (bind(fd, (struct sockaddr *)&address, size) || listen(fd, 2048))
        die("listen");
    getsockname(fd, (struct sockaddr *)&address, &size);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

static void watch(struct viewer *viewer, int operation, unsigned events) {
    struct epoll_event event = {.events = events, .data.ptr = viewer};
    if (epoll_ctl(poller, operation, viewer->fd, &event))
        die("epoll_ctl");
}

static void drop(struct viewer *viewer) {
    close(viewer->fd);
    viewer->before->after = viewer->after;
    viewer->after->before = viewer->before;
    free(viewer);
}

static void set_blocked(struct viewer *viewer, int blocked) {
    if (viewer->blocked != blocked)
        watch(viewer, EPOLL_CTL_MOD, blocked ? EPOLLIN | EPOLLOUT : EPOLLIN);
    viewer->blocked = blocked;
}

/* Send all that is published, or as much as the viewer takes now. */
static void send_to(struct viewer *viewer) {
    if (end - viewer->next > CHUNKS)
        viewer->next = end - 1, viewer->offset = 0; /* too far behind: moved on */
    while (viewer->next < end) {
        struct chunk *chunk = &ring[viewer->next % CHUNKS];
        ssize_t sent = send(viewer->fd, chunk->data + viewer->offset, chunk->size - viewer->offset,
                            MSG_NOSIGNAL);
        if (sent < 0) {
            if (errno == EAGAIN)
                set_blocked(viewer, 1);
            else
                drop(viewer);
            return;
        }
        viewer->offset += sent;
        if (viewer->offset == chunk->size)
            viewer->next++, viewer->offset = 0;
    }
    set_blocked(viewer, 0);
}

static void accept_all(int listener) {
    int fd, unsent = UNSENT_LIMIT;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        struct viewer *viewer = calloc(1, sizeof *viewer);
        setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof unsent);
        viewer->fd = fd;
        viewer->after = all.after;
        viewer->before = &all;
        all.after = all.after->before = viewer;
        watch(viewer, EPOLL_CTL_ADD, EPOLLIN);
    }
}

static void hear(struct viewer *viewer) {
    static const char answer[] = "HTTP/1.0 200 OK\r\nContent-Type: video/mp2t\r\n\r\n";
    char request[4096];
    if (recv(viewer->fd, request, sizeof request, 0) <= 0) {
        drop(viewer);
    } else if (!viewer->playing) {
        if (send(viewer->fd, answer, sizeof answer - 1, MSG_NOSIGNAL) < 0) {
            drop(viewer);
            return;
        }
        viewer->playing = 1;
        viewer->next = end;
    }
}

/* Publish what has gathered upstream; microseconds until the next look. */
static int publish(int upstream) {
    struct chunk *chunk = &ring[end % CHUNKS];
    ssize_t got;
    chunk->size = 0;
    while (chunk->size < CHUNK_SIZE &&
           (got = recv(upstream, chunk->data + chunk->size, CHUNK_SIZE - chunk->size, 0)) > 0)
        chunk->size += got;
    if (chunk->size < CHUNK_SIZE && got == 0)
        exit(0); /* the upstream has ended */
    if (chunk->size == 0)
        return BURST_TICK_US;
    end++;
    for (struct viewer *viewer = all.after, *after; viewer != &all; viewer = after) {
        after = viewer->after;
        if (viewer->playing && !viewer->blocked)
            send_to(viewer);
    }
    return ring[(end - 1) % CHUNKS].size == CHUNK_SIZE ? BURST_TICK_US : tick_us;
}

int main(int count, char **arguments) {
    static struct viewer listening;
    struct epoll_event events[EVENTS];
    struct rlimit files;
    if (count != 4)
        return 2;
    tick_us = atof(arguments[3]) * 1000;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    for (int i = 0; i < CHUNKS; i++)
        ring[i].data = malloc(CHUNK_SIZE);
    poller = epoll_create1(0);
    int upstream = open_upstream(atoi(arguments[1]), arguments[2]);
    listening.fd = listen_anywhere();
    watch(&listening, EPOLL_CTL_ADD, EPOLLIN);
    long long due = now_us();
    for (;;) {
        long long left = due - now_us();
        if (left <= 0) {
            due += publish(upstream);
            if ((left = due - now_us()) < 0)
                left = 0, due = now_us(); /* it is late: it makes up for nothing */
        }
        int found = epoll_wait(poller, events, EVENTS, (left + 999) / 1000);
        for (int i = 0; i < found; i++) {
            struct viewer *viewer = events[i].data.ptr;
            if (viewer == &listening)
                accept_all(listening.fd);
            else if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
                hear(viewer);
            else
                send_to(viewer);
        }
    }
}
