#include "floor.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int usage(void) {
  fprintf(stderr, "usage: floor --ring epoll|io_uring [--port NUMBER] [--file PATH]\n"
                  "Listens on 127.0.0.1. LUN 0 has canned bytes; with a file, LUN 1 reads and writes it by io_uring, with O_DIRECT.\n");
  return 2;
}

int main(int count, char **arguments) {
  const char *ring = NULL, *file = NULL;
  long port = 3260;
  for (int index = 1; index + 1 < count; index += 2) {
    if (!strcmp(arguments[index], "--ring")) ring = arguments[index + 1];
    else if (!strcmp(arguments[index], "--port")) port = strtol(arguments[index + 1], NULL, 10);
    else if (!strcmp(arguments[index], "--file")) file = arguments[index + 1];
    else return usage();
  }
  if (file && ring && strcmp(ring, "io_uring")) return usage();
  if (!ring || count % 2 == 0 || port < 1 || port > 65535) return usage();
  signal(SIGPIPE, SIG_IGN);
  if (file && (disk = open(file, O_RDWR | O_DIRECT | O_CLOEXEC)) < 0) {
    perror(file);
    return 1;
  }

  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1, send_buffer = LOCAL_SEND_BUFFER;
  char control[16] = "";
  socklen_t length = sizeof control;
  getsockopt(listener, IPPROTO_TCP, TCP_CONGESTION, control, &length);
  initiators_are_paced = !strncmp(control, "bbr", 3);
  // Accepted sockets inherit these. TCP_NODELAY: each send goes out at once. Reno: it does not pace what is sent.
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  setsockopt(listener, IPPROTO_TCP, TCP_CONGESTION, "reno", 4);
  setsockopt(listener, SOL_SOCKET, SO_SNDBUF, &send_buffer, sizeof send_buffer);
  struct sockaddr_in address = {
    .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, 128) < 0) {
    perror("floor: listen");
    return 1;
  }
  if (!strcmp(ring, "epoll")) return serve_epoll(listener);
  if (!strcmp(ring, "io_uring")) return serve_uring(listener);
  return usage();
}
