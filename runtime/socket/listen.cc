#include "runtime/socket/listen.h"

#include "absl/strings/str_cat.h"

namespace quipu {
namespace {

constexpr int kBacklog = 1024;

}  // namespace

absl::StatusOr<std::unique_ptr<asio::ip::tcp::acceptor>> ListenOn(asio::io_context& context,
                                                                  const std::string& name,
                                                                  const std::string& host,
                                                                  uint16_t port) {
  const auto refuse = [&](absl::string_view step, const std::error_code& error) {
    return absl::UnavailableError(absl::StrCat(
        "the ", name, " listener cannot ", step, " ", host, ":", port, ": ", error.message(),
        error == asio::error::address_in_use ? "; another process listens there (see it with ss "
                                               "-ltnp): stop it, or choose another port"
                                             : "; expected an address of this machine"));
  };
  std::error_code error;
  asio::ip::tcp::resolver resolver(context);
  const auto found =
      resolver.resolve(host, std::to_string(port), asio::ip::resolver_base::passive, error);
  if (error || found.empty()) return refuse("resolve", error);
  const asio::ip::tcp::endpoint endpoint = found.begin()->endpoint();
  auto listening = std::make_unique<asio::ip::tcp::acceptor>(context);
  listening->open(endpoint.protocol(), error);
  if (!error) listening->set_option(asio::ip::tcp::acceptor::reuse_address(true), error);
  if (!error) listening->bind(endpoint, error);
  if (!error) listening->listen(kBacklog, error);
  if (error) return refuse("listen on", error);
  return listening;
}

}  // namespace quipu
