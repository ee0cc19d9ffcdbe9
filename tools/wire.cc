#include "tools/wire.h"

namespace iomap::tools {
namespace {

proto::Mapping::Type ToMessage(MappingType type) {
  switch (type) {
    case MappingType::kHole:
      return proto::Mapping::HOLE;
    case MappingType::kDelalloc:
      return proto::Mapping::DELALLOC;
    case MappingType::kMapped:
      return proto::Mapping::MAPPED;
    case MappingType::kUnwritten:
      return proto::Mapping::UNWRITTEN;
    case MappingType::kInline:
      return proto::Mapping::INLINE;
  }
  return proto::Mapping::TYPE_UNSPECIFIED;
}

}  // namespace

void ToMessage(const Mapping& mapping, proto::Mapping* message) {
  message->set_offset(mapping.offset);
  message->set_length(mapping.length);
  message->set_type(ToMessage(mapping.type));
  if (mapping.type == MappingType::kMapped || mapping.type == MappingType::kUnwritten) {
    message->set_address(mapping.address);
    message->set_device(mapping.device);
  }
  if (HasFlag(mapping.flags, MappingFlag::kShared)) {
    message->add_flags(proto::Mapping::SHARED);
  }
  if (HasFlag(mapping.flags, MappingFlag::kEncoded)) {
    message->add_flags(proto::Mapping::ENCODED);
  }
  if (HasFlag(mapping.flags, MappingFlag::kMerged)) {
    message->add_flags(proto::Mapping::MERGED);
  }
}

}  // namespace iomap::tools
