#ifndef SIMSAN_HOST_H
#define SIMSAN_HOST_H
#endif
