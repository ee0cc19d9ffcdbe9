#pragma once

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

// Early return on errors, named as later Abseil releases name them (Debian 12's has neither).

// IOMAP_RETURN_IF_ERROR(expression) returns the status of `expression` unless it is OK.
#define IOMAP_RETURN_IF_ERROR(expression)                                            \
  do {                                                                               \
    if (absl::Status iomap_status = (expression); !iomap_status.ok()) [[unlikely]] { \
      return iomap_status;                                                           \
    }                                                                                \
  } while (false)

// IOMAP_ASSIGN_OR_RETURN(declaration, expression) declares a variable with the value of a StatusOr,
// or returns its status: IOMAP_ASSIGN_OR_RETURN(const Inode inode, ReadInode(12));
#define IOMAP_ASSIGN_OR_RETURN(declaration, expression)                                     \
  IOMAP_ASSIGN_OR_RETURN_NAMED(IOMAP_CONCATENATED(iomap_status_or_, __LINE__), declaration, \
                               expression)
#define IOMAP_ASSIGN_OR_RETURN_NAMED(name, declaration, expression) \
  auto name = (expression);                                         \
  if (!name.ok()) [[unlikely]] {                                    \
    return std::move(name).status();                                \
  }                                                                 \
  declaration = *std::move(name)
#define IOMAP_CONCATENATED(a, b) IOMAP_CONCATENATED_AGAIN(a, b)
#define IOMAP_CONCATENATED_AGAIN(a, b) a##b
