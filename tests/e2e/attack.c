/* What a hostile guest runs that its shell has no words for: frames as they are given, and very many connections. */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netpacket/packet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { FRAMES = 20000, BYTES = 1600, AT_ONCE = 200 };

static unsigned char frames[FRAMES][BYTES];
static int lengths[FRAMES];

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static double now(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

/* Send every line of standard input, a frame in hex, again and again for some seconds, and once at least. */
static void send_frames(const char *card, double seconds)
{
    static char line[2 * BYTES + 2];
    struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(card)};
    int link = socket(AF_PACKET, SOCK_RAW, 0), count = 0;
    long sent = 0;
    if (link < 0 || bind(link, (struct sockaddr *)&to, sizeof to) < 0)
        fail(card);
    while (count < FRAMES && fgets(line, sizeof line, stdin)) {
        unsigned octet;
        while (sscanf(line + 2 * lengths[count], "%2x", &octet) == 1)
            frames[count][lengths[count]++] = (unsigned char)octet;
        count += lengths[count] > 0;
    }
    double end = now() + seconds;
    do {
        for (int n = 0; n < count; n++, sent++)
            while (send(link, frames[n], (size_t)lengths[n], 0) < 0)
                if (errno != ENOBUFS && errno != EAGAIN)
                    fail("send");
    } while (now() < end);
    printf("%ld\n", sent);
}

static int dial(const char *address, int port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
    int conn = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (conn < 0 || inet_pton(AF_INET, address, &to.sin_addr) != 1)
        fail(address);
    if (connect(conn, (struct sockaddr *)&to, sizeof to) < 0 && errno != EINPROGRESS)
        fail("connect");
    return conn;
}

/* Open so many connections, 200 at a time; each says the beginning of a request, then a byte a second. */
static void open_connections(const char *address, int port, long total, double seconds)
{
    struct pollfd held[AT_ONCE];
    double spoke[AT_ONCE];
    char answer[64];
    long opened = 0, ended = 0;
    for (int n = 0; n < AT_ONCE; n++)
        held[n].fd = -1;
    for (double end = now() + seconds; now() < end;) {
        for (int n = 0; n < AT_ONCE; n++)
            if (held[n].fd < 0 && opened < total) {
                held[n] = (struct pollfd){.fd = dial(address, port), .events = POLLIN | POLLOUT};
                spoke[n] = 0;
                opened++;
            }
        if (poll(held, AT_ONCE, 50) < 0)
            fail("poll");
        for (int n = 0; n < AT_ONCE; n++) {
            if (held[n].fd < 0)
                continue;
            int over = held[n].revents & (POLLERR | POLLHUP)
                || (held[n].revents & POLLIN && recv(held[n].fd, answer, sizeof answer, 0) <= 0);
            if (!over && held[n].revents & POLLOUT) {
                held[n].events = POLLIN;
                over = send(held[n].fd, "GET / HTTP/1.1\r\nX: ", 19, MSG_NOSIGNAL) < 0;
                spoke[n] = now();
            } else if (!over && spoke[n] > 0 && now() > spoke[n] + 1) {
                over = send(held[n].fd, "x", 1, MSG_NOSIGNAL) < 0;
                spoke[n] = now();
            }
            if (over) {
                close(held[n].fd);
                held[n].fd = -1;
                ended++;
            }
        }
    }
    printf("%ld %ld\n", opened, ended);
}

/* Say of each port that answers at all whether it is open or closed; at most 200 are asked at once. */
static void scan(const char *address, int first, int last, double seconds)
{
    for (int from = first; from <= last; from += AT_ONCE) {
        struct pollfd asked[AT_ONCE];
        int count = last - from + 1 < AT_ONCE ? last - from + 1 : AT_ONCE;
        for (int n = 0; n < count; n++)
            asked[n] = (struct pollfd){.fd = dial(address, from + n), .events = POLLOUT};
        int left = count;
        for (double end = now() + seconds; left > 0 && now() < end;) {
            if (poll(asked, (nfds_t)count, 50) < 0)
                fail("poll");
            for (int n = 0; n < count; n++) {
                int error = 0;
                socklen_t size = sizeof error;
                if (asked[n].fd < 0 || !asked[n].revents)
                    continue;
                getsockopt(asked[n].fd, SOL_SOCKET, SO_ERROR, &error, &size);
                if (error == 0)
                    printf("%d open\n", from + n);
                else if (error == ECONNREFUSED)
                    printf("%d closed\n", from + n);
                close(asked[n].fd);
                asked[n].fd = -1;
                left--;
            }
        }
        for (int n = 0; n < count; n++)
            if (asked[n].fd >= 0)
                close(asked[n].fd);
    }
}

int main(int count, char **words)
{
    struct rlimit files = {4096, 4096};
    setrlimit(RLIMIT_NOFILE, &files);
    if (count == 4 && !strcmp(words[1], "frames"))
        send_frames(words[2], atof(words[3]));
    else if (count == 6 && !strcmp(words[1], "connections"))
        open_connections(words[2], atoi(words[3]), atol(words[4]), atof(words[5]));
    else if (count == 6 && !strcmp(words[1], "scan"))
        scan(words[2], atoi(words[3]), atoi(words[4]), atof(words[5]));
    else
        return 2;
    return 0;
}
