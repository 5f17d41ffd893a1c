// Whether a sanitizer that watches memory is built in: gcc and clang say it in different ways.
#pragma once

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HF_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HF_SANITIZED 1
#endif
#endif
#ifndef HF_SANITIZED
#define HF_SANITIZED 0
#endif
