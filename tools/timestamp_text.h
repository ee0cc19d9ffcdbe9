#pragma once

#include <string>

#include "iomap/attributes.h"

namespace iomap::tools {

// Seconds since 1970 with nine decimals: "1700000000.000000001"; half a second before 1970 is
// "-0.500000000".
std::string SecondsText(const Timestamp& time);

// As stat(1) writes it, in UTC: "2023-11-14 22:13:20.000000001 +0000".
std::string DateText(const Timestamp& time);

}  // namespace iomap::tools
