# bash completion for hedgerow-cli. Made by: hedgerow-cli --print-completion
_hedgerow_cli() {
    local current=${COMP_WORDS[COMP_CWORD]} command= verb= word i skip=0
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if ((skip)); then skip=0; continue; fi
        case $word in
            --rpc | --datadir | --cookie | --token-file | --timeout) skip=1 ;;
            -*) ;;
            *) if [[ -z $command ]]; then command=$word; elif [[ -z $verb ]]; then verb=$word; fi ;;
        esac
    done
    local global='--rpc --datadir --cookie --token-file --json --timeout --help'
    case "$command $verb" in
        'node info') COMPREPLY=($(compgen -W "$global" -- "$current")) ;;
        'node stop') COMPREPLY=($(compgen -W "$global" -- "$current")) ;;
        'node halt') COMPREPLY=($(compgen -W "$global" -- "$current")) ;;
        'node resume') COMPREPLY=($(compgen -W "$global" -- "$current")) ;;
        'node ') COMPREPLY=($(compgen -W 'info stop halt resume --help' -- "$current")) ;;
        'wallet balance') COMPREPLY=($(compgen -W "$global" -- "$current")) ;;
        'wallet addresses') COMPREPLY=($(compgen -W "$global" -- "$current")) ;;
        'wallet send') COMPREPLY=($(compgen -W "--to --asset --amount --client-ref $global" -- "$current")) ;;
        'wallet create') COMPREPLY=($(compgen -W "--password-file $global" -- "$current")) ;;
        'wallet restore') COMPREPLY=($(compgen -W "--password-file --mnemonic-file $global" -- "$current")) ;;
        'wallet unlock') COMPREPLY=($(compgen -W "--password-file $global" -- "$current")) ;;
        'wallet lock') COMPREPLY=($(compgen -W "$global" -- "$current")) ;;
        'wallet import') COMPREPLY=($(compgen -W "--keystore --password-file $global" -- "$current")) ;;
        'wallet export') COMPREPLY=($(compgen -W "--password-file --address $global" -- "$current")) ;;
        'wallet ') COMPREPLY=($(compgen -W 'balance addresses send create restore unlock lock import export --help' -- "$current")) ;;
        'peer connect') COMPREPLY=($(compgen -W "--uri $global" -- "$current")) ;;
        'peer disconnect') COMPREPLY=($(compgen -W "--uri $global" -- "$current")) ;;
        'peer list') COMPREPLY=($(compgen -W "--limit --cursor $global" -- "$current")) ;;
        'peer ') COMPREPLY=($(compgen -W 'connect disconnect list --help' -- "$current")) ;;
        'channel open') COMPREPLY=($(compgen -W "--peer --deposit --dispute-period --oracle --risk --tower --tower-sync --client-ref $global" -- "$current")) ;;
        'channel deposit') COMPREPLY=($(compgen -W "--channel-id --asset --amount --client-ref $global" -- "$current")) ;;
        'channel withdraw') COMPREPLY=($(compgen -W "--channel-id --asset --amount --client-ref $global" -- "$current")) ;;
        'channel close') COMPREPLY=($(compgen -W "--channel-id --force --client-ref $global" -- "$current")) ;;
        'channel list') COMPREPLY=($(compgen -W "--limit --cursor $global" -- "$current")) ;;
        'channel get') COMPREPLY=($(compgen -W "--channel-id $global" -- "$current")) ;;
        'channel state') COMPREPLY=($(compgen -W "--channel-id $global" -- "$current")) ;;
        'channel history') COMPREPLY=($(compgen -W "--channel-id --limit --cursor $global" -- "$current")) ;;
        'channel export') COMPREPLY=($(compgen -W "--channel-id $global" -- "$current")) ;;
        'channel backup') COMPREPLY=($(compgen -W "--path $global" -- "$current")) ;;
        'channel restore') COMPREPLY=($(compgen -W "--path $global" -- "$current")) ;;
        'channel towers') COMPREPLY=($(compgen -W "--channel-id --tower --all --sync $global" -- "$current")) ;;
        'channel ') COMPREPLY=($(compgen -W 'open deposit withdraw close list get state history export backup restore towers --help' -- "$current")) ;;
        'tower add') COMPREPLY=($(compgen -W "--uri $global" -- "$current")) ;;
        'tower remove') COMPREPLY=($(compgen -W "--uri $global" -- "$current")) ;;
        'tower list') COMPREPLY=($(compgen -W "--limit --cursor $global" -- "$current")) ;;
        'tower proof') COMPREPLY=($(compgen -W "--channel-id --tower $global" -- "$current")) ;;
        'tower receipts') COMPREPLY=($(compgen -W "--export --channel-id --tower $global" -- "$current")) ;;
        'tower ') COMPREPLY=($(compgen -W 'add remove list proof receipts verify --help' -- "$current")) ;;
        'pay send') COMPREPLY=($(compgen -W "--channel-id --invoice --node-id --asset --amount --memo --client-ref $global" -- "$current")) ;;
        'pay list') COMPREPLY=($(compgen -W "--limit --cursor $global" -- "$current")) ;;
        'pay ') COMPREPLY=($(compgen -W 'send list --help' -- "$current")) ;;
        'invoice create') COMPREPLY=($(compgen -W "--asset --amount --memo --expiry-seconds --client-ref $global" -- "$current")) ;;
        'invoice decode') COMPREPLY=($(compgen -W "--invoice $global" -- "$current")) ;;
        'invoice list') COMPREPLY=($(compgen -W "--limit --cursor $global" -- "$current")) ;;
        'invoice ') COMPREPLY=($(compgen -W 'create decode list --help' -- "$current")) ;;
        'swap quote') COMPREPLY=($(compgen -W "--channel-id --give --take $global" -- "$current")) ;;
        'swap accept') COMPREPLY=($(compgen -W "--quote-id --client-ref $global" -- "$current")) ;;
        'swap ') COMPREPLY=($(compgen -W 'quote accept --help' -- "$current")) ;;
        'market instruments') COMPREPLY=($(compgen -W "--limit --cursor $global" -- "$current")) ;;
        'market quote') COMPREPLY=($(compgen -W "--channel-id --instrument --side --quantity --leg $global" -- "$current")) ;;
        'market accept') COMPREPLY=($(compgen -W "--quote-id --client-ref $global" -- "$current")) ;;
        'market publish') COMPREPLY=($(compgen -W "--channel-id --instrument --bid --ask --size --valid-ms --client-ref $global" -- "$current")) ;;
        'market ') COMPREPLY=($(compgen -W 'instruments quote accept publish --help' -- "$current")) ;;
        'position list') COMPREPLY=($(compgen -W "--channel-id --limit --cursor $global" -- "$current")) ;;
        'position ') COMPREPLY=($(compgen -W 'list --help' -- "$current")) ;;
        'trade list') COMPREPLY=($(compgen -W "--channel-id --limit --cursor $global" -- "$current")) ;;
        'trade ') COMPREPLY=($(compgen -W 'list --help' -- "$current")) ;;
        'margin get') COMPREPLY=($(compgen -W "--channel-id $global" -- "$current")) ;;
        'margin ') COMPREPLY=($(compgen -W 'get --help' -- "$current")) ;;
        'oracle prices') COMPREPLY=($(compgen -W "--feed --limit --cursor $global" -- "$current")) ;;
        'oracle ') COMPREPLY=($(compgen -W 'prices --help' -- "$current")) ;;
        'rpc discover') COMPREPLY=($(compgen -W "$global" -- "$current")) ;;
        'rpc ') COMPREPLY=($(compgen -W 'discover --help' -- "$current")) ;;
        ' ') COMPREPLY=($(compgen -W "node wallet peer channel tower pay invoice swap market position trade margin oracle rpc call $global" -- "$current")) ;;
    esac
}
complete -o default -F _hedgerow_cli hedgerow-cli
