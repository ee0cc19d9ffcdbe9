#pragma once

#include <cstddef>
#include <cstring>

namespace iomap::dax {

// Copies bytes of which one side is a device's. A store through somebody's mapping may change them
// at the same moment, as with any mapped file: which bytes of it are seen is the affair of who
// stores and who reads at once. The thread sanitizer is told so here, and nowhere else.
#if defined(__SANITIZE_THREAD__)
void CopyRacing(void* to, const void* from, size_t size);
#else
inline void CopyRacing(void* to, const void* from, size_t size) { std::memcpy(to, from, size); }
#endif

}  // namespace iomap::dax
