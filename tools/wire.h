#pragma once

#include "iomap/mapping.h"
#include "proto/mapping.pb.h"

namespace iomap::tools {

// Between domain types and messages: the one place that knows both.

void ToMessage(const Mapping& mapping, proto::Mapping* message);

}  // namespace iomap::tools
