#pragma once

#include "iomap/mapping.h"
#include "proto/mapping.pb.h"

namespace iomap::tools {

// Fills `message`, which is empty. This header is the one place that knows both domain types and
// messages.
void ToMessage(const Mapping& mapping, proto::Mapping* message);

}  // namespace iomap::tools
