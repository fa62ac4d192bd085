"""Installing from nothing: infra/install.sh in folders of its own, with an index of its own and with the real one."""
