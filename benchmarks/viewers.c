/* Viewers that cost little: the load of the benchmarks.
 *
 *     viewers PORT PATH COUNT [marks] [within SECONDS]
 *
 * Connects COUNT viewers, 64 at a time or all of them `within` some seconds whatever the answers,
 * and reads what they get. For each line on stdin it prints one report
 * about the time since the line before, and counts anew; it ends when stdin ends. A report is
 *
 *     playing ended bytes reads least most packets median p99 longest latest gap longest_gap
 *
 * the viewers that have got media so far, and those whose connection has ended; the bytes of all and
 * the reads that they came with, the bytes of the viewer that got least, and of the one that got most;
 * and, with `marks`, the number of marked packets (tests/numbered_ts.py) and their times from sending
 * to reading, in milliseconds; and, of all viewers since the start, the longest time to the first
 * marked packet, from the viewer's request or the packet's sending, whichever was later, in
 * milliseconds; and how long viewers had nothing to read between two reads, p99 and longest, in
 * milliseconds. Without `marks` the kernel discards all other bytes, and nothing is copied.
 * Viewers look only once per millisecond: to wake a reader on the same machine costs the sending
 * server, and real viewers are on others.
 */
#define _GNU_SOURCE
#include <endian.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>
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
    AT_ONCE = 64, /* viewers at a time that wait for their first media: no storm of requests */
    EVENTS = 512,
    NAP_US = 1000,
    READ_SIZE = 1 << 20,
    PACKET = 188,
    SYNC = 0x47,
    MARK = 4,       /* where the mark is in a packet without adaptation field */
    MARK_TIME = 60, /* where its time is: seconds, a big-endian double */
    MARK_END = 68,
    HEAD_SIZE = 1 << 16, /* the first mark is in so many bytes of body */
    BINS = 100000, /* of 0.05 ms */
};
static const double BIN = 0.05;

struct viewer {
    int fd;
    int matched; /* bytes of the blank line after the headers */
    int playing;
    int ended;
    int marked; /* its first marked packet has come */
    double asked;
    double read_at; /* last; 0: it has read nothing yet */
    size_t position; /* in the body */
    int aligned;     /* a packet's start is known: the C fan-out begins anywhere */
    size_t first;    /* position of a packet's start */
    size_t bytes;    /* since the last report */
};

static struct viewer *viewers;
static int wanted, opened, playing, ended, poller, port, with_marks;
static const char *path;
static unsigned long long bins[BINS], gap_bins[BINS], packets, gaps, reads;
static double longest, longest_gap, latest, within, begun;
static char buffer[READ_SIZE];

static void die(const char *what) {
    perror(what);
    exit(1);
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static void open_one(void) {
    struct viewer *viewer = &viewers[opened++];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = viewer};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    viewer->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (viewer->fd < 0 || connect(viewer->fd, (struct sockaddr *)&address, sizeof address))
        die("connect");
    viewer->asked = now();
    dprintf(viewer->fd, "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n", path, port);
    epoll_ctl(poller, EPOLL_CTL_ADD, viewer->fd, &event);
}

/* Whether one more viewer may be opened now. */
static int is_due(void) {
    if (within)
        return opened < wanted * (now() - begun) / within;
    return opened - playing - ended < AT_ONCE;
}

static void end(struct viewer *viewer) {
    close(viewer->fd);
    viewer->ended = 1;
    ended++;
}

/* Find a packet by its sync byte and mark. */
static void align(struct viewer *viewer, size_t size) {
    for (size_t at = 0; at + MARK_END <= size && !viewer->aligned; at++)
        if (buffer[at] == SYNC && !memcmp(buffer + at + MARK, "KPTV", 4)) {
            viewer->aligned = 1;
            viewer->first = viewer->position + at;
        }
}

static void tally(unsigned long long *counts, double milliseconds) {
    int bin = milliseconds / BIN;
    counts[bin < 0 ? 0 : bin < BINS ? bin : BINS - 1]++;
}

static void look_at_gap(struct viewer *viewer) {
    double at = now(), gap = (at - viewer->read_at) * 1e3;
    if (viewer->read_at) {
        tally(gap_bins, gap);
        gaps++;
        longest_gap = gap > longest_gap ? gap : longest_gap;
    }
    viewer->read_at = at;
}

static void look_at_marks(struct viewer *viewer, size_t size) {
    double at = now();
    if (!viewer->aligned)
        align(viewer, size);
    if (!viewer->aligned)
        return;
    size_t past = (viewer->position + PACKET - viewer->first % PACKET) % PACKET;
    size_t start = (PACKET - past) % PACKET;
    for (; start + MARK_END <= size; start += PACKET) {
        uint64_t bits;
        double sent;
        if (memcmp(buffer + start + MARK, "KPTV", 4))
            continue;
        memcpy(&bits, buffer + start + MARK_TIME, sizeof bits);
        bits = be64toh(bits);
        memcpy(&sent, &bits, sizeof sent);
        double taken = (at - sent) * 1e3;
        if (!viewer->marked) {
            double since = sent > viewer->asked ? sent : viewer->asked;
            viewer->marked = 1;
            latest = (at - since) * 1e3 > latest ? (at - since) * 1e3 : latest;
        }
        tally(bins, taken);
        packets++;
        if (taken > longest)
            longest = taken;
    }
}

static void take(struct viewer *viewer, size_t size) {
    if (!viewer->playing) {
        viewer->playing = 1;
        playing++;
    }
    viewer->position += size;
    viewer->bytes += size;
    reads++;
}

/* The headers, byte by byte to the blank line; the body is left in the socket. */
static void read_headers(struct viewer *viewer) {
    ssize_t got = recv(viewer->fd, buffer, 1024, MSG_PEEK | MSG_DONTWAIT), used = 0;
    if (got <= 0) {
        end(viewer);
        return;
    }
    while (used < got && viewer->matched < 4) {
        char c = buffer[used++];
        viewer->matched = c == "\r\n\r\n"[viewer->matched] ? viewer->matched + 1 : c == '\r';
    }
    recv(viewer->fd, buffer, used, 0);
}

static void read_body(struct viewer *viewer) {
    int looks = with_marks || (!viewer->marked && viewer->position < HEAD_SIZE);
    int flags = MSG_DONTWAIT | (looks ? 0 : MSG_TRUNC);
    ssize_t got = recv(viewer->fd, buffer, looks && !with_marks ? HEAD_SIZE : READ_SIZE, flags);
    if (got > 0) {
        if (looks)
            look_at_marks(viewer, got);
        if (with_marks)
            look_at_gap(viewer);
        take(viewer, got);
    } else if (got == 0 || errno != EAGAIN) {
        end(viewer);
    }
}

static double percentile(const unsigned long long *counts, unsigned long long all, double part) {
    unsigned long long rank = all * part, seen = 0;
    for (int bin = 0; bin < BINS; bin++)
        if ((seen += counts[bin]) > rank)
            return (bin + 1) * BIN;
    return 0;
}

static void report(void) {
    size_t total = 0, least = SIZE_MAX, most = 0;
    for (int i = 0; i < wanted; i++) {
        size_t bytes = viewers[i].bytes;
        total += bytes;
        least = bytes < least ? bytes : least;
        most = bytes > most ? bytes : most;
        viewers[i].bytes = 0;
    }
    printf("%d %d %zu %llu %zu %zu %llu %.2f %.2f %.2f %.2f %.2f %.2f\n", playing, ended, total,
           reads, least, most, packets, percentile(bins, packets, 0.5),
           percentile(bins, packets, 0.99), longest, latest, percentile(gap_bins, gaps, 0.99),
           longest_gap);
    fflush(stdout);
    memset(bins, 0, sizeof bins);
    memset(gap_bins, 0, sizeof gap_bins);
    packets = gaps = reads = 0;
    longest = longest_gap = 0;
}

/* Answer the reports that were asked for; false at the end of stdin. */
static int hear(void) {
    char lines[64];
    ssize_t got = read(0, lines, sizeof lines);
    for (ssize_t i = 0; i < got; i++)
        if (lines[i] == '\n')
            report();
    return got > 0;
}

int main(int count, char **arguments) {
    struct epoll_event events[EVENTS], asked = {.events = EPOLLIN, .data.ptr = NULL};
    struct rlimit files;
    if (count < 4)
        return 2;
    port = atoi(arguments[1]);
    path = arguments[2];
    wanted = atoi(arguments[3]);
    for (int i = 4; i < count; i++) {
        with_marks |= !strcmp(arguments[i], "marks");
        if (!strcmp(arguments[i], "within") && i + 1 < count)
            within = atof(arguments[++i]);
    }
    viewers = calloc(wanted, sizeof *viewers);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    poller = epoll_create1(0);
    epoll_ctl(poller, EPOLL_CTL_ADD, 0, &asked);
    begun = now();
    for (;;) {
        while (opened < wanted && is_due())
            open_one();
        int found = epoll_wait(poller, events, EVENTS, within && opened < wanted ? 1 : -1);
        for (int i = 0; i < found; i++) {
            struct viewer *viewer = events[i].data.ptr;
            if (viewer == NULL) {
                if (!hear())
                    return 0;
            } else if (viewer->matched < 4) {
                read_headers(viewer);
            } else {
                read_body(viewer);
            }
        }
        if (found < EVENTS)
            usleep(NAP_US);
    }
}
