// One answer made of parts that several shards give.
//
// A request that spans shards has a home: the shard of its first partition. Every part is brought
// there, so that the join itself needs no lock; a request of one shard never leaves it.
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "base/check.h"
#include "runtime/executor.h"

namespace quipu {

// `Response` is the whole answer, `Part` what one slot gets. Complete may be called from any
// shard's executor; everything else happens on the home executor.
template <typename Response, typename Part>
class Join : public std::enable_shared_from_this<Join<Response, Part>> {
 public:
  using Store = void (*)(Response& response, size_t slot, Part part);
  using Reply = std::function<void(Response)>;

  // `response` has room for all slots; `pending` of them are still to come (at least one).
  Join(Executor& home, size_t home_shard, Response response, size_t pending, Store store,
       Reply reply)
      : home_(home),
        home_shard_(home_shard),
        response_(std::move(response)),
        pending_(pending),
        store_(store),
        reply_(std::move(reply)) {
    QUIPU_CHECK(pending > 0);
  }

  // Exactly once for each pending slot, from the executor of `shard`.
  void Complete(size_t shard, size_t slot, Part part) {
    if (shard == home_shard_) {
      Take(slot, std::move(part));
      return;
    }
    home_.Post([self = this->shared_from_this(), slot, part = std::move(part)]() mutable {
      self->Take(slot, std::move(part));
    });
  }

 private:
  void Take(size_t slot, Part part) {
    QUIPU_CHECK(pending_ > 0);
    store_(response_, slot, std::move(part));
    if (--pending_ > 0) return;
    const Reply reply = std::move(reply_);
    reply(std::move(response_));
  }

  Executor& home_;
  const size_t home_shard_;
  Response response_;
  size_t pending_;
  const Store store_;
  Reply reply_;
};

}  // namespace quipu
