#pragma once
#include <cstring>
namespace iomap::dax {
inline void CopyRacing(void* to, const void* from, size_t n) { std::memcpy(to, from, n); }
}  // namespace iomap::dax
