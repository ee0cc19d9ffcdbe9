#include "tests/races/mistaken_address_space.h"

#include "dax/basic_address_space.h"

namespace iomap::tests {
namespace {

thread_local std::optional<dax::Mistake> chosen_mistake;

struct ChosenMistake {
  static bool Makes(dax::Mistake mistake) { return chosen_mistake == mistake; }
};

}  // namespace

MistakeScope::MistakeScope(std::optional<dax::Mistake> mistake) { chosen_mistake = mistake; }

MistakeScope::~MistakeScope() { chosen_mistake.reset(); }

std::unique_ptr<dax::AddressSpace> MakeMistakenAddressSpace(const dax::DeviceSet& devices) {
  return std::make_unique<dax::BasicAddressSpace<ChosenMistake>>(devices);
}

}  // namespace iomap::tests
