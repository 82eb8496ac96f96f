// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <string>

#include "compiler/shape.h"
#include "model/endpoint.h"

namespace felix::compiler {

inline constexpr std::array<Direction, 2> kDirections = {Direction::kIngress, Direction::kEgress};
[[nodiscard]] inline std::size_t Index(Direction direction) {
  return direction == Direction::kIngress ? 0 : 1;
}

// What a container is subject to, by direction.
using ContainerShapes = std::array<Shape, 2>;

// How packets find the shapes of the containers at this host's interfaces: the seam between the
// layouts of ChainLayout. Is told of every interface that a container has, one container each, and
// emits what leads from the kernel's chains to its shapes.
class EndpointLayout {
 public:
  virtual ~EndpointLayout() = default;

  // Of which kind the shapes are.
  [[nodiscard]] virtual ShapeKind shape_kind() const = 0;

  // Without shapes the container is down: nothing passes, whatever policy says.
  virtual void Set(const std::string& interface_name, const model::WorkloadEndpoint& endpoint,
                   const ContainerShapes* shapes) = 0;
  virtual void Remove(const std::string& interface_name) = 0;
  // Emits what the calls since the last one lead to.
  virtual void Flush() = 0;
};

}  // namespace felix::compiler
