#include "tests/unit/controller/fake_world.h"

#include "core/metadata/controller_core.h"

namespace quipu {

bool FakeQuorum::IsActive(int id) const {
  return nodes_[static_cast<size_t>(id - 1)]->inspector().core().active();
}

}  // namespace quipu
