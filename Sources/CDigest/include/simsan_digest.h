#ifndef SIMSAN_DIGEST_H
#define SIMSAN_DIGEST_H
#endif
